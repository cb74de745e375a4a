// The large view of images one by one, and the list that a class or a tag is chosen from. Goes before marking.js, which
// has what both of them use.

// --- one by one, large ---------------------------------------------------------------------------------------------

function openReview(view, index) {
  view.at = index;
  view.review = create("dialog", "ws-review");
  view.review.setAttribute("aria-label", "Review one by one");
  view.review.onclose = () => {
    view.review.remove();
    view.at = -1;
    view.setStateValue("at", null);
    view.figures[0]?.querySelector(".ws-open")?.focus();
  };
  view.review.onkeydown = (event) => pressReview(view, event);
  view.root.append(view.review);
  view.review.showModal();
  view.setStateValue("at", index);
  drawReview(view);
}

function pressReview(view, event) {
  event.stopPropagation(); // or the page's own keys would move something behind
  if (event.target.closest(".ws-picker") || event.ctrlKey || event.metaKey || event.altKey) return;
  const item = view.window.get(view.at);
  if (event.key === "ArrowRight" || event.key === " " || event.key === "Enter") go(view, 1);
  else if (event.key === "ArrowLeft") go(view, -1);
  else if (!item || !pressMark(view, event, item, () => go(view, 1))) return;
  event.preventDefault();
}

function go(view, by) {
  const to = view.at + by;
  if (to < 0 || to >= view.data.total) return say(view, "that was the last one");
  view.at = to;
  const last = Math.max(-1, ...view.window.keys());
  const first = Math.min(...view.window.keys(), view.data.total);
  const near = by > 0 ? last - to < AHEAD && last < view.data.total - 1 : to - first < AHEAD && first > 0;
  if ((near && view.asked !== `${first} ${last}`) || !view.window.has(to)) {
    view.asked = `${first} ${last}`;
    view.setStateValue("at", to);
  }
  drawReview(view);
}

function drawReview(view) {
  if (view.review.querySelector(".ws-picker")) return; // it is drawn when that is closed
  const item = view.window.get(view.at);
  const picture = drawPicture(view.review.querySelector(".ws-review-picture"), item);
  const panel = create("div", "ws-review-panel");
  panel.append(create("p", "ws-dim", `${view.at + 1} of ${view.data.total}`));
  if (item) {
    const { labels } = view.data;
    panel.append(create("h3", "", `Label: ${labels[item.given] ?? item.given}`));
    const told = item.lines.filter((line) => line !== `true ${labels[item.given]}`); // it stands in the heading
    for (const line of told) panel.append(create("p", "", line));
    panel.append(create("p", "ws-review-mark", describe(view, view.marks.get(item.path)) || "not marked"));
    const chips = create("div", "ws-chips");
    item.guesses.slice(0, 9).forEach((name, index) => {
      const button = chip(view, name, index + 1, [item.path]);
      const mark = button.onclick;
      button.onclick = () => { mark(); go(view, 1); };
      chips.append(button);
    });
    const actions = create("div", "ws-chips");
    for (const [what, [sign, title, key]] of Object.entries(WORDS)) {
      const button = press(`${sign} ${title} (${key})`, () => perform(view, what, [item.path], [item], () => go(view, 1)));
      button.setAttribute("aria-pressed", String(view.marks.get(item.path)?.action === what));
      actions.append(button);
    }
    panel.append(create("p", "ws-dim", "The right class is"), chips, actions, create("p", "ws-dim", item.path));
  }
  const foot = create("div", "ws-chips");
  foot.append(press("← Previous", () => go(view, -1)), press("Next →", () => go(view, 1)), press("↶ Undo (u)", () => undo(view)), press("Close (Esc)", () => view.review.close()));
  panel.append(foot);
  const kept = view.review.contains(document.activeElement) ? document.activeElement.textContent : null;
  view.review.replaceChildren(picture, panel);
  const same = [...panel.querySelectorAll("button")].find((button) => button.textContent === kept);
  (same ?? panel.querySelector("button"))?.focus({ preventScroll: true }); // or the picture is pushed out at its top
}

function drawPicture(shown, item) {
  if (shown && item?.image && shown.alt === item.path) return shown; // drawn anew it would flicker
  const lost = item ? "The file is gone or cannot be read any more." : "Loading …";
  const picture = create(item?.image ? "img" : "div", "ws-review-picture", item?.image ? "" : lost);
  if (item?.image) Object.assign(picture, { src: item.image, alt: item.path });
  return picture;
}

// --- choosing from a list by typing --------------------------------------------------------------------------------

const ASK = 300; // ms after the last letter at which Python looks for a class among very many

// `options()` are what to choose from, which may come to more while the list is open.
function pick(view, title, options, choose, free = false) {
  const box = create("dialog", "ws-picker");
  const input = create("input");
  Object.assign(input, { type: "text", placeholder: free ? "Type a tag, then Enter" : "Type to find a class" });
  input.setAttribute("aria-label", title);
  const list = create("div", "ws-options");
  let shown = [];
  let at = 0;
  const fill = () => {
    const typed = input.value.trim().toLocaleLowerCase();
    shown = options().filter(([, label]) => label.toLocaleLowerCase().includes(typed)).slice(0, 60);
    const fresh = input.value.trim().replace(/\s+/g, "-");
    if (free && fresh && !shown.some(([value]) => value === fresh)) shown.unshift([fresh, `New tag: ${fresh}`]);
    at = 0;
    list.replaceChildren(...shown.map(([value, label]) => press(label, () => chosen(value))));
    const asked = !free && view.data.asks;
    const waits = asked && input.value.trim() !== view.data.sought;
    const none = free ? "No tag yet." : !asked ? "No class has this in its name." : !typed ? "" : waits ? "Looking …" : "No class has this in its name.";
    if (!shown.length && none) list.append(create("p", "ws-dim", none));
    point();
  };
  const ask = () => {
    fill();
    if (free || !view.data.asks) return;
    clearTimeout(view.asking);
    view.asking = setTimeout(() => view.setStateValue("sought", input.value.trim()), ASK);
  };
  const point = () => [...list.querySelectorAll("button")].forEach((button, index) => {
    button.classList.toggle("ws-at", index === at);
    if (index === at) button.scrollIntoView({ block: "nearest" });
  });
  const chosen = (value) => {
    box.close();
    choose(value);
  };
  box.onkeydown = (event) => {
    event.stopPropagation();
    if (event.key === "ArrowDown") at = Math.min(shown.length - 1, at + 1);
    else if (event.key === "ArrowUp") at = Math.max(0, at - 1);
    else if (event.key === "Enter" && shown[at]) return void (event.preventDefault(), chosen(shown[at][0]));
    else return;
    event.preventDefault();
    point();
  };
  box.onclose = () => {
    box.remove();
    clearTimeout(view.asking);
    view.refill = null;
    draw(view);
  };
  box.onclick = (event) => event.target === box && box.close(); // beside it
  input.oninput = ask;
  view.refill = fill;
  const form = create("div", "ws-picker-form");
  form.append(create("b", "", title), input, list);
  box.append(form);
  (view.at >= 0 ? view.review : view.root).append(box);
  box.showModal();
  fill();
  input.focus();
}
