// Draws one Plotly figure and reports clicks on its marks. Python's side is plot.py.

const charts = new WeakMap(); // the mount's element → its chart, so that a new run of the page updates it in place
let loading = null; // one script tag serves every chart of the browser tab

export default function ({ data, parentElement, setTriggerValue }) {
  let chart = charts.get(parentElement);
  if (!chart) {
    chart = createChart(parentElement);
    charts.set(parentElement, chart);
  }
  Object.assign(chart, { data, setTriggerValue, turn: chart.turn + 1 });
  const turn = chart.turn;
  draw(chart, turn);
  return () => {
    // Streamlit also runs the clean-up of a call that a newer one has overtaken: the chart is the newer one's.
    if (turn === chart.turn) removeChart(chart, parentElement);
  };
}

function createChart(parentElement) {
  const graph = parentElement.querySelector(".weakspot-plot");
  const [cursor, said] = [".weakspot-cursor", ".weakspot-said"].map((name) => parentElement.querySelector(name));
  const chart = { graph, cursor, said, at: null, data: null, setTriggerValue: null, turn: 0, drawn: false, observer: null, ended: new AbortController() };
  // What is drawn: the figure and theme as text, the figure's own shapes and ranges, and what was put on top of it.
  Object.assign(chart, { look: "", text: "", digest: "", figure: null, cells: null, grain: 1, marks: "[]", view: "null" });
  chart.observer = new ResizeObserver(() => requestAnimationFrame(() => fitChart(chart)));
  chart.observer.observe(graph);
  return chart;
}

function removeChart(chart, parentElement) {
  chart.turn += 1; // a draw that still waits for the library must not bring the chart back
  chart.observer.disconnect();
  chart.ended.abort();
  clearTimeout(chart.told);
  clearTimeout(chart.restoring);
  if (chart.drawn) window.Plotly.purge(chart.graph);
  charts.delete(parentElement);
}

function fitChart(chart) {
  const width = chart.graph.clientWidth; // 0 in a tab or an expander that is closed
  if (chart.drawn && width > 0 && width !== chart.graph._fullLayout?.width) window.Plotly.Plots.resize(chart.graph);
  showCursor(chart);
}

function loadPlotly(address) {
  loading ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    // Page addresses are one level deep below the app's base path, so this holds for / and for /base/confusion?run=x.
    script.src = new URL(address, document.baseURI).href;
    script.onload = () => resolve(window.Plotly);
    script.onerror = () => {
      loading = null; // the next run of the page tries again
      script.remove();
      reject(new Error(script.src));
    };
    document.head.append(script);
  });
  return loading;
}

async function draw(chart, turn) {
  const { graph, data } = chart;
  graph.style.height = `${data.height}px`;
  graph.classList.toggle("with-labels", data.labels);
  try {
    await loadPlotly(data.script);
  } catch {
    graph.textContent = `The chart cannot be drawn because ${data.script} did not load. Reload the page.`;
    return;
  }
  if (turn !== chart.turn) return;
  if (data.figure) Object.assign(chart, { text: data.figure, digest: data.digest });
  if (chart.digest !== data.digest) {
    chart.setTriggerValue("lost", data.digest); // the page was left and opened again: the figure is to be sent again
    return;
  }
  const theme = readTheme(graph);
  // A selection changes the marks alone; a large matrix is not drawn anew for it.
  const look = JSON.stringify([theme, data.key, data.height, data.boxes, data.areas, data.digest]);
  if (chart.look !== look) await drawFigure(chart, look, theme);
  await putOnTop(chart);
  offerKeys(chart);
  fitChart(chart);
  await fitGrain(chart);
}

async function drawFigure(chart, look, theme) {
  const { graph, data } = chart;
  const figure = JSON.parse(chart.text);
  graph.setAttribute("role", "figure"); // not "img": its tools are buttons, and an image has none
  graph.setAttribute("aria-label", plainText(figure.layout.title?.text) || "Chart");
  if (!chart.drawn) graph.replaceChildren();
  const layout = { ...figure.layout, template: themeTemplate(theme), height: data.height, autosize: true };
  const tools = listTools(data);
  if (layout.title?.text) layout.title = { ...layout.title, text: wrapTitle(layout.title.text, graph, tools.length) };
  layout.uirevision = `${data.key} ${figure.layout.uirevision ?? ""}`;
  // Of other cells than before: a finger leaves no cell, so what it said of one would stay over the others.
  if (chart.drawn && layout.uirevision !== graph.layout?.uirevision) window.Plotly.Fx.unhover(graph);
  layout.shapes = [...(figure.layout.shapes ?? []), ...data.shapes];
  const { shapes = [], xaxis, yaxis } = figure.layout;
  const whole = { x: [...(xaxis?.range ?? [])], y: [...(yaxis?.range ?? [])] }; // Plotly writes into the figure's own
  // A view is put on again: Plotly keeps what a user zoomed to, not what the page did.
  Object.assign(chart, { look, figure: { shapes, whole }, marks: JSON.stringify(data.shapes), view: "null" });
  const traces = figure.data.map((trace) => prepareTrace(trace, theme));
  if (traces[0]?.cells && graph.clientWidth < NARROW) fitPhone(traces[0], layout);
  chart.cells = traces[0]?.cells ? unpackCells(traces[0]) : null; // a heat map is its figure's only trace
  if (chart.cells) {
    const room = Math.min(data.height - 150, Math.max(graph.clientWidth - 180, 200)); // a guess: axes have no size yet
    chart.grain = chart.drawn ? measureGrain(graph) : Math.ceil((LEAST_CELL * chart.cells.y.length) / room);
    delete traces[0].cells;
    Object.assign(traces[0], fillGrid(chart.cells, chart.grain));
  }
  await window.Plotly.react(graph, traces, layout, {
    displaylogo: false,
    modeBarButtons: [tools],
    toImageButtonOptions: { filename: data.key, scale: 2 },
  });
  if (!chart.drawn) listen(chart);
  chart.drawn = true;
}

const NARROW = 500; // pixels, as a phone has

// The scale goes above the matrix, where it takes none of its width, and what is said of a cell gets short lines.
function fitPhone(trace, layout) {
  const bar = trace.colorbar ?? {};
  trace.colorbar = { ...bar, orientation: "h", x: 0, xanchor: "left", y: 1, yanchor: "bottom" };
  Object.assign(trace.colorbar, { lenmode: "fraction", len: 1, thickness: 10, xpad: 0, ypad: 4, tickangle: 0 });
  trace.hovertemplate = trace.hovertemplate.replaceAll(" → ", "<br>→ ").replaceAll(", ", ",<br>");
  layout.margin = { ...layout.margin, t: (layout.margin?.t ?? 60) + 50 };
  // Plotly would push the chart's own title away for one of the scale.
  const told = (bar.title?.text ?? "").replace(/<br>[^<]*<span.*/, "").replaceAll("<br>", " ");
  trace.colorbar.title = { text: "" };
  layout.title = { ...layout.title, text: `${layout.title?.text ?? ""}<br><span style="font-weight:400;font-size:.8em">${told}</span>` };
}

function listTools({ areas, boxes }) {
  const drawing = areas ? ["lasso2d", "select2d"] : boxes ? ["select2d"] : [];
  return ["zoom2d", ...drawing, "pan2d", "resetScale2d", "toImage"];
}

const TOOL = 27; // pixels, at most, that a tool beside the title takes
const LETTER = 9.6; // and a letter of the title

// Without a mouse the tools are always there, and a long title would run below them: it gets a second line.
function wrapTitle(text, graph, tools) {
  const room = Math.floor((graph.clientWidth - TOOL * tools) / LETTER);
  if (!window.matchMedia("(hover: none)").matches || text.length <= room || text.includes("<")) return text;
  const at = text.lastIndexOf(" ", room);
  return at < 0 ? text : `${text.slice(0, at)}<br>${text.slice(at + 1)}`;
}

async function putOnTop(chart) {
  if (chart.restoring) return; // that puts the marks on top too
  const { graph, data, figure } = chart;
  const marks = JSON.stringify(data.shapes);
  const view = JSON.stringify(data.view);
  const update = {};
  if (marks !== chart.marks) update.shapes = [...figure.shapes, ...data.shapes];
  if (view !== chart.view && !isShown(graph, data.view ?? figure.whole)) {
    update["xaxis.range"] = [...(data.view ?? figure.whole).x];
    update["yaxis.range"] = [...(data.view ?? figure.whole).y];
  }
  Object.assign(chart, { marks, view });
  chart.placing = true; // not the user's zoom
  if (Object.keys(update).length) await window.Plotly.relayout(graph, update);
  chart.placing = false;
}

function isShown({ _fullLayout: layout }, { x, y }) {
  const near = (range, wanted) => range.every((end, i) => Math.abs(end - (wanted[i] ?? end)) < 0.1);
  return near(layout.xaxis.range, x) && near(layout.yaxis.range, y);
}

// Tells Python what a user zoomed to, once the zoom rests; nothing where it is the whole again.
function tellZoom(chart) {
  if (chart.placing || !chart.data.zooms) return;
  clearTimeout(chart.told);
  chart.told = setTimeout(() => {
    const { xaxis, yaxis } = chart.graph._fullLayout;
    const shown = { x: [...xaxis.range], y: [...yaxis.range] };
    if (isShown(chart.graph, chart.data.view ?? chart.figure.whole)) return;
    tell(chart, "zoom", isShown(chart.graph, chart.figure.whole) ? { x: null, y: null } : shown);
  }, 400);
}

// Tells Python what was done, and which figure is here, so that a large one is not sent again.
function tell(chart, what, value) {
  chart.setTriggerValue(what, { ...value, digest: chart.digest });
}

function listen(chart) {
  const { graph } = chart;
  graph.on("plotly_click", ({ points: [point] }) => {
    if (!chart.data.clickable || chart.tap?.near) return;
    const { x, y, customdata = null } = point;
    const [own, other] = chart.cells ? customdata.slice(-2) : [x, y];
    const told = ArrayBuffer.isView(customdata) ? [...customdata] : customdata; // numbers that travelled packed
    tell(chart, "click", { x: own, y: other, customdata: told });
  });
  graph.on("plotly_relayout", (changed) => {
    fitGrain(chart);
    showCursor(chart);
    if (Object.keys(changed).some((name) => /axis\.(auto)?range/.test(name))) tellZoom(chart);
  });
  graph.addEventListener("keydown", (event) => takeKey(chart, event));
  graph.addEventListener("focusout", () => moveCursor(chart, null));
  graph.addEventListener("pointerdown", () => restore(chart), true); // before another area is drawn
  graph.addEventListener("pointerdown", (event) => startTap(chart, event), true); // Plotly keeps what comes later
  window.addEventListener("pointerup", (event) => graph.isConnected && endTap(chart, event), { capture: true, signal: chart.ended.signal });
  graph.on("plotly_selected", (selected) => {
    if (chart.data.areas) tellArea(chart, selected);
    if (!chart.data.boxes || !selected?.range) return;
    const { xaxis, yaxis } = graph._fullLayout;
    const box = { x: touched(selected.range.x, xaxis), y: touched(selected.range.y, yaxis) };
    window.Plotly.relayout(graph, { selections: [] }); // the marks show what was chosen, cell by cell
    tell(chart, "box", box);
  });
  graph.on("plotly_deselect", () => {
    if (chart.data.areas) tell(chart, "area", { x: [], y: [] });
  });
  graph.addEventListener("click", ({ target }) => {
    const label = chart.data.labels && target.closest(".xtick text, .ytick text");
    if (!label) return;
    const axis = label.closest(".xtick") ? "x" : "y";
    tell(chart, "label", { axis, index: Math.round(label.__data__.x) }); // bound by Plotly, by way of d3
  });
  graph.on("plotly_hover", () => graph.classList.toggle("over-mark", chart.data.clickable));
  graph.on("plotly_unhover", () => graph.classList.remove("over-mark"));
}

const FINGER = 22; // pixels of a cell that a finger meets
const STILL = 10; // pixels that a finger moves in a tap

// Cells that are too small for a finger are first looked at closer: `near` says that a tap does that.
function startTap(chart, { pointerType, clientX, clientY, target }) {
  const inside = pointerType === "touch" && chart.cells && chart.data.clickable && target.closest(".nsewdrag");
  chart.tap = inside ? { x: clientX, y: clientY, near: measureCell(chart.graph) < FINGER } : null;
}

function endTap(chart, { clientX, clientY }) {
  const { tap, graph, cells } = chart;
  if (!tap?.near || Math.hypot(clientX - tap.x, clientY - tap.y) > STILL) return;
  const { xaxis, yaxis } = graph._fullLayout;
  const box = graph.getBoundingClientRect();
  const side = Math.max(2, Math.floor(Math.min(xaxis._length, yaxis._length) / FINGER));
  const around = (place, count) => {
    const first = Math.min(Math.max(Math.round(place - side / 2), 0), Math.max(count - side, 0)) - 0.5;
    return [first, Math.min(first + side, count - 0.5)];
  };
  const [left, right] = around(xaxis.p2l(clientX - box.left - xaxis._offset), cells.x.length);
  const [top, bottom] = around(yaxis.p2l(clientY - box.top - yaxis._offset), cells.y.length);
  window.Plotly.Fx.unhover(graph); // it would say over the new cells what the old one was
  window.Plotly.relayout(graph, { "xaxis.range": [left, right], "yaxis.range": [bottom, top] });
}

function measureCell({ _fullLayout: { xaxis, yaxis } }) {
  return Math.min(...[xaxis, yaxis].map(({ _length, range }) => _length / Math.abs(range[1] - range[0])));
}

// Tells Python the corners of what was drawn around points; it puts an outline in the place of Plotly's own.
function tellArea(chart, selected) {
  const { range, lassoPoints } = selected ?? {};
  if (!range && !lassoPoints) return;
  const corners = lassoPoints ?? boxCorners(range);
  tell(chart, "area", { x: [...corners.x], y: [...corners.y] });
  clearTimeout(chart.restoring);
  chart.restoring = setTimeout(() => restore(chart), RESTORED);
}

// ms after which all points have their colour again and Python's outline is drawn: either takes its time with many
// points, for which the images would have to wait. Plotly's own outline is there meanwhile.
const RESTORED = 900;

async function restore(chart) {
  if (!chart.restoring) return;
  clearTimeout(chart.restoring);
  chart.restoring = 0;
  const { graph, data, figure } = chart;
  chart.marks = JSON.stringify(data.shapes);
  await window.Plotly.update(
    graph, { selectedpoints: null }, { selections: [], shapes: [...figure.shapes, ...data.shapes] },
  );
}

function boxCorners({ x: [left, right], y: [bottom, top] }) {
  return { x: [left, right, right, left], y: [bottom, bottom, top, top] };
}

// A matrix is read and clicked without a mouse as well: arrows move a cursor from cell to cell, Enter clicks.
function offerKeys({ graph, said, cells, data }) {
  const offered = Boolean(cells && data.clickable);
  graph.tabIndex = offered ? 0 : -1;
  said.id = `${data.key}-said`;
  if (!graph.matches(":focus")) said.textContent = data.summary;
  if (!offered) return;
  graph.setAttribute("role", "application"); // else a screen reader keeps the arrow keys for itself
  graph.setAttribute("aria-describedby", said.id);
}

const STEPS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

function takeKey(chart, event) {
  const { cells, data, at } = chart;
  if (!cells || !data.clickable || event.ctrlKey || event.metaKey || event.altKey) return;
  const [rows, columns] = [cells.y.length, cells.x.length];
  const [row, column] = at ?? [0, 0];
  const inside = (place, count) => Math.min(Math.max(place, 0), count - 1);
  if (event.key in STEPS) {
    const [down, right] = at ? STEPS[event.key] : [0, 0]; // the first key shows where the cursor is
    moveCursor(chart, [inside(row + down, rows), inside(column + right, columns)]);
  } else if (event.key === "Home") moveCursor(chart, [row, 0]);
  else if (event.key === "End") moveCursor(chart, [row, columns - 1]);
  else if (event.key === "PageUp") moveCursor(chart, [0, column]);
  else if (event.key === "PageDown") moveCursor(chart, [rows - 1, column]);
  else if (event.key === "Escape" && at) moveCursor(chart, null);
  else if (event.key === "Enter" && at) {
    tell(chart, "click", { x: cells.x[column], y: cells.y[row], customdata: null });
  } else return;
  event.preventDefault();
  event.stopPropagation(); // the arrows also lead from image to image
}

function moveCursor(chart, at) {
  chart.at = at;
  if (at) {
    const { cells, said } = chart;
    const [row, column] = at;
    const filled = cells.at.findIndex((place, i) => place === row && cells.to[i] === column);
    const images = filled < 0 ? "no image" : `images: ${cells.hover[0][filled]}`;
    said.textContent = plainText(`true ${cells.y[row]}, predicted ${cells.x[column]}, ${images}`);
  }
  showCursor(chart);
}

function showCursor({ graph, cursor, at, drawn }) {
  const { xaxis, yaxis } = graph._fullLayout ?? {};
  cursor.hidden = !at || !drawn;
  if (cursor.hidden) return;
  const [row, column] = at;
  const [left, right, top, bottom] = [
    xaxis.l2p(column - 0.5), xaxis.l2p(column + 0.5), yaxis.l2p(row - 0.5), yaxis.l2p(row + 0.5),
  ];
  const outside = right <= 0 || left >= xaxis._length || bottom <= 0 || top >= yaxis._length; // of what is zoomed to
  cursor.hidden = outside;
  Object.assign(cursor.style, {
    left: `${graph.offsetLeft + xaxis._offset + left}px`,
    top: `${graph.offsetTop + yaxis._offset + top}px`,
    width: `${right - left}px`,
    height: `${bottom - top}px`,
  });
}

// A category covers half a step to both sides of its place.
function touched(range, axis) {
  const inside = (place) => Math.min(Math.max(Math.round(place), 0), axis._categories.length - 1);
  return [inside(Math.min(...range)), inside(Math.max(...range))];
}

let webgl = null; // asked once: a browser grants a page but some contexts

function hasWebGL() {
  webgl ??= Boolean(document.createElement("canvas").getContext("webgl"));
  return webgl;
}

function prepareTrace(trace, theme) {
  if (trace.type === "scattergl" && !hasWebGL()) trace.type = "scatter"; // slower, and all there is on such a machine
  // Plotly chooses the colour of text in a cell as if see-through cells lay on white, so see-through is mixed here.
  if (Array.isArray(trace.colorscale)) {
    trace.colorscale = trace.colorscale.map(([at, colour]) => [at, mixColour(colour, theme.background)]);
  }
  return trace;
}

// A matrix of many classes is nearly empty: it travels as a list of its filled cells.
function unpackCells({ cells, x, y, hovertemplate }) {
  const [at, to, values] = [cells.row, cells.column, cells.z].map(unpackArray);
  return { at, to, values, hover: cells.customdata.map(unpackArray), x, y, hovertemplate };
}

const ARRAYS = {
  u1: Uint8Array, u2: Uint16Array, u4: Uint32Array, i1: Int8Array, i2: Int16Array, i4: Int32Array,
  f4: Float32Array, f8: Float64Array,
};

function unpackArray({ dtype, bdata }) {
  const bytes = Uint8Array.from(atob(bdata), (letter) => letter.charCodeAt(0));
  return new ARRAYS[dtype](bytes.buffer);
}

// Cells below a pixel would be lost, and a mouse could not meet them: there the strongest one of grain × grain cells
// fills their place. It says its own classes, not those of the place it fills.
function fillGrid({ at, to, values, hover, x, y, hovertemplate }, grain) {
  const grid = () => Array.from(y, () => new Array(x.length));
  const [z, customdata] = [grid(), grid()];
  const strongest = new Map();
  values.forEach((value, i) => {
    const place = Math.floor(at[i] / grain) * x.length + Math.floor(to[i] / grain);
    const known = strongest.get(place);
    if (known === undefined || Math.abs(value) > Math.abs(values[known])) strongest.set(place, i);
  });
  for (const i of strongest.values()) {
    const classes = [x[to[i]], y[at[i]]];
    const own = [...hover.map((list) => list[i]), ...classes.map(wrapName), ...classes]; // a click takes the last two
    const [top, left] = [at[i] - (at[i] % grain), to[i] - (to[i] % grain)];
    for (let row = top; row < Math.min(top + grain, y.length); row += 1) {
      z[row].fill(values[i], left, left + grain);
      customdata[row].fill(own, left, left + grain);
    }
  }
  const names = [`%{customdata[${hover.length}]}`, `%{customdata[${hover.length + 1}]}`];
  const template = hovertemplate.replaceAll("%{x}", names[0]).replaceAll("%{y}", names[1]);
  return { z, customdata, hovertemplate: template };
}

const LEAST_CELL = 2; // pixels that a cell, or what stands for it, takes up at least

function measureGrain({ _fullLayout: layout }) {
  if (!layout?.xaxis?._length) return 1;
  return Math.max(1, Math.ceil(LEAST_CELL / measureCell({ _fullLayout: layout })));
}

async function fitGrain(chart) {
  const { graph, cells } = chart;
  if (!cells) return;
  const grain = measureGrain(graph);
  if (grain === chart.grain) return;
  chart.grain = grain;
  const { z, customdata } = fillGrid(cells, grain);
  await window.Plotly.restyle(graph, { z: [z], customdata: [customdata] }, [0]);
}

// A very long name on several lines, none of which ends inside of an escaped letter such as &lt;.
function wrapName(name) {
  return name.replace(/(?:&[a-z]+;|.){60}(?=.)/gu, "$&<br>");
}

function mixColour(colour, background) {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 1;
  const context = canvas.getContext("2d");
  for (const fill of [background, colour]) {
    context.fillStyle = fill;
    context.fillRect(0, 0, 1, 1);
  }
  const [red, green, blue] = context.getImageData(0, 0, 1, 1).data;
  return `rgb(${red}, ${green}, ${blue})`;
}

function plainText(html) {
  return new DOMParser().parseFromString((html ?? "").replaceAll("<br>", ". "), "text/html").body.textContent;
}

function readTheme(graph) {
  const style = getComputedStyle(graph);
  const read = (name) => style.getPropertyValue(`--st-${name}`).trim();
  return {
    font: read("font"),
    text: read("text-color"),
    background: read("background-color"),
    raised: read("secondary-background-color"),
    border: read("border-color"),
    grid: read("border-color-light"),
  };
}

// The figure's own choices win over a template, so figures stay free of the page's colours.
function themeTemplate({ font, text, background, raised, border, grid }) {
  const axis = {
    gridcolor: grid,
    linecolor: border,
    zerolinecolor: border,
    tickcolor: border,
    spikecolor: text,
    title: { font: { size: 13 }, standoff: 10 },
  };
  return {
    layout: {
      font: { family: font, color: text, size: 12 },
      title: { font: { size: 16, weight: 600 } },
      paper_bgcolor: background, // the page's own, so that a saved picture is readable anywhere
      plot_bgcolor: background,
      xaxis: axis,
      yaxis: axis,
      hoverlabel: { bgcolor: raised, bordercolor: border, font: { family: font, color: text, size: 13 }, align: "left" },
      modebar: { bgcolor: "rgba(0,0,0,0)", color: border, activecolor: text },
      shapedefaults: { line: { color: text } },
      annotationdefaults: { font: { color: text } },
    },
    data: { heatmap: [{ colorbar: { outlinewidth: 0, tickcolor: border } }] },
  };
}
