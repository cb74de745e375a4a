// Pictures that can be marked, by mouse and by keys, one by one or many at once. Python's side is marking.py.
//
// The large view is in review.js. What is done shows at once. It is sent as a list of steps, which is sent again until
// Python has said that it is saved.

const views = new WeakMap(); // the mount's element → its view, so that a new run of the page updates it in place
const AHEAD = 20; // images before the end of what is here at which more are asked for
const WAIT = 250; // ms between two messages, so that fast marking does not run the page for each
const KEYS = { y: "right", x: "drop", n: "unsure" };
const BY_MOUSE = "Point at an image to say what is wrong with its label. Shift-click or drag to select several.";
const BY_TOUCH = "The signs on an image say what is wrong with its label. Tick several to mark them at once.";
const ONE = ".ws-card, .ws-grid > figure"; // an image of the gallery, in a card with what stands beside it
const WORDS = {
  right: ["✓", "Label is right", "y"],
  relabel: ["✎", "Another class …", "r"],
  drop: ["✕", "Leave out of training", "x"],
  unsure: ["?", "Unsure", "n"],
  tag: ["#", "Tag …", "t"],
};

export default function ({ data, parentElement, setTriggerValue, setStateValue }) {
  let view = views.get(parentElement);
  if (!view) {
    view = createView(parentElement.querySelector(".weakspot-marking"), data);
    views.set(parentElement, view);
  }
  Object.assign(view, { data, setTriggerValue, setStateValue, turn: view.turn + 1 });
  const turn = view.turn;
  update(view);
  return () => {
    // Streamlit also runs the clean-up of a call that a newer one has overtaken: the view is the newer one's.
    if (turn !== view.turn) return;
    clearTimeout(view.timer);
    document.removeEventListener("keydown", view.onKey, true);
    views.delete(parentElement);
  };
}

function createView(root, data) {
  const view = { root, data, turn: 0, html: null, items: [], marks: new Map(), picked: new Set(), anchor: -1 };
  Object.assign(view, { steps: [], step: data.saved, sent: 0, timer: 0, at: -1, window: new Map() });
  view.bar = create("div", "ws-bar-top");
  view.grid = create("div", "ws-marking-grid");
  view.said = create("p", "ws-said-aloud");
  view.said.setAttribute("aria-live", "polite");
  root.replaceChildren(view.bar, view.grid, view.said);
  view.grid.onclick = (event) => clickGrid(view, event);
  view.grid.onkeydown = (event) => pressGrid(view, event);
  view.grid.onpointerdown = (event) => startDrag(view, event);
  view.onKey = (event) => view.data.alone && pressAlone(view, event);
  document.addEventListener("keydown", view.onKey, true);
  return view;
}

// --- from Python ---------------------------------------------------------------------------------------------------

function update(view) {
  const { data } = view;
  view.steps = view.steps.filter((step) => step.number > data.saved);
  view.items = data.items;
  if (data.ahead.length) view.window = new Map(data.ahead);
  if (view.html !== data.html) {
    view.html = data.html;
    view.grid.innerHTML = data.html;
    view.picked.clear();
    view.anchor = -1;
    if (view.at < 0) view.window.clear(); // they were of other images
    dress(view);
  }
  replay(view);
  if (view.steps.length) send(view);
  draw(view);
  view.refill?.(); // the classes that were looked for have come
}

// What is marked: what Python knows, and on top of it the steps that it has not saved yet.
function replay(view) {
  view.marks = new Map(Object.entries(view.data.marks));
  const undone = [];
  for (const step of view.steps) {
    if (step.undo) {
      for (const [path, mark] of undone.pop() ?? []) mark ? view.marks.set(path, mark) : view.marks.delete(path);
      continue;
    }
    undone.push(step.paths.map((path) => [path, view.marks.get(path)]));
    for (const path of step.paths) view.marks.set(path, change(view.marks.get(path), step));
  }
}

function change(known = { action: "", to: "", tags: [] }, { tag, on, action, to }) {
  if (!tag) return { ...known, action, to };
  const others = known.tags.filter((other) => other !== tag);
  return { ...known, tags: on ? [...others, tag] : others };
}

function send(view) {
  clearTimeout(view.timer);
  const since = performance.now() - view.sent;
  const now = () => {
    view.sent = performance.now();
    if (view.steps.length) view.setTriggerValue("steps", view.steps);
  };
  if (since > WAIT) now();
  else view.timer = setTimeout(now, WAIT - since);
}

// --- what can be done ----------------------------------------------------------------------------------------------

// Says something of images: an action in place of the one before, or a tag beside the others. Said again, it is taken back.
function act(view, paths, asked) {
  if (!paths.length) return;
  const own = paths.length === 1 && itemOf(view, paths[0])?.given;
  if (asked.action === "relabel" && asked.to === own) asked = { action: "right" }; // the class that it has
  const known = (path) => view.marks.get(path) ?? { action: "", to: "", tags: [] };
  const said = ({ action, to, tags }) => (asked.tag ? tags.includes(asked.tag) : action === asked.action && to === (asked.to ?? ""));
  const off = paths.every((path) => said(known(path)));
  take(view, { paths, ...(asked.tag ? { tag: asked.tag, on: !off } : { action: off ? "" : asked.action, to: off ? "" : (asked.to ?? "") }) });
  say(view, paths.length === 1 ? describe(view, view.marks.get(paths[0])) || "not marked" : `${paths.length} images marked`);
}

function itemOf(view, path) {
  return view.items.find((item) => item.path === path) ?? [...view.window.values()].find((item) => item.path === path);
}

function undo(view) {
  take(view, { undo: true });
  say(view, "taken back");
}

function take(view, step) {
  view.step += 1;
  view.steps.push({ number: view.step, ...step });
  replay(view);
  draw(view);
  send(view);
}

// Does what a button or a key stands for with some images; `after` follows once something was marked.
function perform(view, what, paths, items, after = () => {}) {
  if (!paths.length) return;
  if (what === "relabel") {
    const options = () => listClasses(view, items);
    pick(view, `Right class of ${count(paths.length)}`, options, (to) => {
      act(view, paths, { action: "relabel", to });
      after();
    });
  } else if (what === "tag") {
    const known = view.data.tags.map((tag) => [tag, tag]);
    pick(view, `Tag ${count(paths.length)}`, () => known, (tag) => act(view, paths, { tag }), true);
  } else {
    act(view, paths, { action: what });
    after();
  }
}

// The likeliest first. Of very many classes Python sends but those that it found for what was typed.
function listClasses(view, items) {
  const { labels, order } = view.data;
  const likely = items.length === 1 ? items[0].guesses : [];
  return [...new Set([...likely, ...order])].filter((name) => name in labels).map((name) => [name, labels[name]]);
}

// --- the grid ------------------------------------------------------------------------------------------------------

function dress(view) {
  view.figures = [...view.grid.querySelectorAll(ONE)];
  view.figures.forEach((figure, index) => {
    const item = view.items[index];
    const frame = create("div", "ws-frame");
    const own = figure.querySelector("figure") ?? figure; // of a card its first picture
    const picture = own.firstElementChild;
    own.prepend(frame);
    frame.append(picture);
    const box = create("input", "ws-pick");
    Object.assign(box, { type: "checkbox", tabIndex: -1, title: "Select (Shift: all in between)" });
    box.setAttribute("aria-label", `Select ${item.path}`);
    const controls = create("div", "ws-controls");
    for (const [what, [sign, title, key]] of Object.entries(WORDS)) {
      const button = create("button", "", sign);
      Object.assign(button, { type: "button", tabIndex: -1, title: `${title} (${key})` });
      button.dataset.do = what;
      button.setAttribute("aria-label", `${title}: ${item.path}`);
      controls.append(button);
    }
    frame.append(create("span", "ws-mark-said"), ...(view.data.alone ? [] : [box]));
    (figure.querySelector(".ws-card-foot") ?? frame).append(controls);
    const target = figure.querySelector(".ws-open") ?? frame;
    target.tabIndex = index === 0 ? 0 : -1;
  });
}

function draw(view) {
  view.figures?.forEach((figure, index) => {
    const item = view.items[index];
    const mark = view.marks.get(item.path);
    const said = figure.querySelector(".ws-mark-said");
    said.textContent = describe(view, mark);
    said.title = said.textContent;
    figure.dataset.mark = mark?.action || (mark?.tags.length ? "tag" : "");
    figure.classList.toggle("ws-picked", view.picked.has(item.path));
    const box = figure.querySelector(".ws-pick");
    if (box) box.checked = view.picked.has(item.path);
    for (const button of figure.querySelectorAll(".ws-controls button"))
      button.setAttribute("aria-pressed", String(button.dataset.do === mark?.action));
  });
  drawBar(view);
  if (view.at >= 0) drawReview(view);
}

function describe(view, mark) {
  if (!mark) return "";
  const words = { right: "✓ label right", relabel: `→ ${view.data.labels[mark.to] ?? mark.to}`, drop: "✕ left out", unsure: "? unsure" };
  return [words[mark.action] ?? "", ...mark.tags.map((tag) => `#${tag}`)].filter(Boolean).join(" · ");
}

function drawBar(view) {
  const { bar, data, picked } = view;
  const parts = [];
  if (data.alone) {
    const item = view.items[0];
    if (item.guesses.length) parts.push(create("span", "ws-dim", "The right class is"));
    item.guesses.slice(0, 9).forEach((name, index) => parts.push(chip(view, name, index + 1, [item.path])));
  } else if (picked.size) {
    parts.push(create("b", "", `${picked.size} selected`));
    for (const [what, [sign, title]] of Object.entries(WORDS)) parts.push(press(`${sign} ${title}`, () => performPicked(view, what)));
    parts.push(press("Select none", () => { picked.clear(); draw(view); }));
  } else {
    if (data.total) parts.push(press("▶ Review one by one", () => openReview(view, data.first), "Large, with keys: 1–9 the likeliest classes, y right, x leave out, n unsure, u undo"));
    parts.push(create("span", "ws-dim", window.matchMedia("(hover: none)").matches ? BY_TOUCH : BY_MOUSE));
  }
  const back = press("↶ Undo", () => undo(view), "Take back your last mark on this page (u)");
  back.disabled = !data.undoable && !view.steps.length;
  parts.push(back); // always there, so that the first mark does not move the pictures
  bar.replaceChildren(...parts);
}

function chip(view, name, number, paths) {
  const button = press(`${number} ${view.data.labels[name] ?? name}`, () => act(view, paths, { action: "relabel", to: name }), `The right class is ${view.data.labels[name] ?? name} (${number})`);
  const mark = view.marks.get(paths[0]);
  button.setAttribute("aria-pressed", String(mark?.action === "relabel" && mark.to === name));
  return button;
}

function performPicked(view, what) {
  const items = view.items.filter((item) => view.picked.has(item.path));
  perform(view, what, items.map((item) => item.path), items);
}

function clickGrid(view, event) {
  const figure = event.target.closest(ONE);
  if (!figure || view.dragged) return;
  const index = view.figures.indexOf(figure);
  const item = view.items[index];
  const button = event.target.closest("[data-do]");
  if (button) return perform(view, button.dataset.do, [item.path], [item]);
  if (event.target.closest(".ws-pick") || event.shiftKey) {
    event.preventDefault();
    selectTo(view, index, event.shiftKey);
  } else if (event.target.closest("[data-tile]")) {
    view.setTriggerValue("open", Number(event.target.closest("[data-tile]").dataset.tile));
  }
}

function selectTo(view, index, stretch) {
  const turnOn = !view.picked.has(view.items[index].path) || stretch;
  const from = stretch && view.anchor >= 0 ? view.anchor : index;
  for (let i = Math.min(from, index); i <= Math.max(from, index); i += 1)
    turnOn ? view.picked.add(view.items[i].path) : view.picked.delete(view.items[i].path);
  view.anchor = index;
  setTimeout(() => draw(view)); // after the browser has set the box itself
}

function startDrag(view, event) {
  view.dragged = false;
  if (view.data.alone || event.button !== 0 || event.pointerType === "touch" || event.target.closest("button, input")) return;
  const from = [event.clientX, event.clientY];
  const frame = create("div", "ws-lasso");
  const before = new Set(event.shiftKey ? view.picked : []);
  const move = ({ clientX, clientY }) => {
    const [left, right] = [from[0], clientX].sort((a, b) => a - b);
    const [top, bottom] = [from[1], clientY].sort((a, b) => a - b);
    if (!view.dragged && right - left + bottom - top < 8) return;
    view.dragged = true;
    if (!frame.isConnected) view.root.append(frame);
    Object.assign(frame.style, { left: `${left}px`, top: `${top}px`, width: `${right - left}px`, height: `${bottom - top}px` });
    view.picked = new Set(before);
    view.figures.forEach((figure, index) => {
      const place = figure.getBoundingClientRect();
      if (place.left < right && place.right > left && place.top < bottom && place.bottom > top) view.picked.add(view.items[index].path);
    });
    draw(view);
  };
  const end = () => {
    frame.remove();
    window.removeEventListener("pointermove", move);
    const first = view.items.findIndex((item) => view.picked.has(item.path));
    if (view.dragged && first >= 0) focusFigure(view, first); // so that keys mark what was selected
    setTimeout(() => (view.dragged = false)); // after the click that ends it
  };
  event.preventDefault(); // no text is selected meanwhile
  window.addEventListener("pointermove", move);
  window.addEventListener("pointerup", end, { once: true });
}

function pressGrid(view, event) {
  if (event.target.closest("input[type=text], dialog") || event.ctrlKey || event.metaKey || event.altKey) return;
  const index = view.figures.findIndex((figure) => figure.contains(event.target));
  if (index < 0) return;
  const columns = getComputedStyle(view.figures[0].parentElement).gridTemplateColumns.split(" ").length;
  const steps = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns };
  if (event.key in steps && !view.data.alone) {
    const to = Math.min(view.figures.length - 1, Math.max(0, index + steps[event.key]));
    focusFigure(view, to);
    if (event.shiftKey) selectTo(view, to, true);
  } else if (event.key === " " && !view.data.alone) {
    selectTo(view, index, false);
  } else if (event.key === "Escape" && view.picked.size) {
    view.picked.clear();
    draw(view);
  } else if (!pressMark(view, event, view.items[index])) {
    return;
  }
  event.preventDefault();
  event.stopPropagation();
}

function focusFigure(view, index) {
  view.figures.forEach((figure, number) => {
    const target = figure.querySelector(".ws-open") ?? figure.querySelector(".ws-frame");
    target.tabIndex = number === index ? 0 : -1;
    if (number === index) target.focus();
  });
}

// Marks an image, or all that are selected, by a key; tells whether the key means something.
function pressMark(view, event, item, after = () => {}) {
  const key = event.key.toLowerCase();
  const many = view.at < 0 && view.picked.has(item.path) && view.picked.size > 1;
  const items = many ? view.items.filter((other) => view.picked.has(other.path)) : [item];
  const paths = items.map((other) => other.path);
  const guess = item.guesses[Number(key) - 1];
  if (/^[1-9]$/.test(key)) {
    if (!guess) return false;
    act(view, paths, { action: "relabel", to: guess });
    after();
  } else if (key in KEYS) {
    perform(view, KEYS[key], paths, items, after);
  } else if (key === "r" || key === "t") {
    perform(view, key === "r" ? "relabel" : "tag", paths, items, after);
  } else if (key === "u") {
    undo(view);
  } else {
    return false;
  }
  return true;
}

// In the view of one image keys count wherever the focus is, but for fields that take text.
function pressAlone(view, event) {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest("input, textarea, [contenteditable=true], [role=listbox], [role=combobox]")) return;
  if (document.querySelector("dialog[open]") || !view.root.isConnected) return;
  if (pressMark(view, event, view.items[0])) {
    event.preventDefault();
    event.stopPropagation();
  }
}

// --- small things --------------------------------------------------------------------------------------------------

function create(name, className = "", text = "") {
  const element = document.createElement(name);
  if (className) element.className = className;
  if (text) element.textContent = text;
  return element;
}

function press(text, act, title = "") {
  const button = create("button", "ws-press", text);
  Object.assign(button, { type: "button", onclick: act, title });
  return button;
}

function count(number) {
  return number === 1 ? "this image" : `${number} images`;
}

function say(view, text) {
  view.said.textContent = text;
}
