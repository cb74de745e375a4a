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
  const chart = { graph, data: null, setTriggerValue: null, turn: 0, drawn: false, observer: null };
  // What is drawn: the figure and theme as text, the figure's own shapes and ranges, and what was put on top of it.
  Object.assign(chart, { look: "", figure: null, marks: "[]", view: "null" });
  chart.observer = new ResizeObserver(() => requestAnimationFrame(() => fitChart(chart)));
  chart.observer.observe(graph);
  return chart;
}

function removeChart(chart, parentElement) {
  chart.turn += 1; // a draw that still waits for the library must not bring the chart back
  chart.observer.disconnect();
  if (chart.drawn) window.Plotly.purge(chart.graph);
  charts.delete(parentElement);
}

function fitChart(chart) {
  const width = chart.graph.clientWidth; // 0 in a tab or an expander that is closed
  if (chart.drawn && width > 0 && width !== chart.graph._fullLayout?.width) window.Plotly.Plots.resize(chart.graph);
}

function loadPlotly(file) {
  loading ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    // Page addresses are one level deep below the app's base path, so this holds for / and for /base/confusion?run=x.
    script.src = new URL(`app/static/${file}`, document.baseURI).href;
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
    graph.textContent = `The chart cannot be drawn because ${data.script} did not load. Please reload the page.`;
    return;
  }
  if (turn !== chart.turn) return;
  const theme = readTheme(graph);
  // A selection changes the marks alone; a large matrix is not drawn anew for it.
  const look = JSON.stringify([theme, data.key, data.height, data.boxes]) + data.figure;
  if (chart.look !== look) await drawFigure(chart, look, theme);
  await putOnTop(chart);
  fitChart(chart);
}

async function drawFigure(chart, look, theme) {
  const { graph, data } = chart;
  const figure = JSON.parse(data.figure);
  graph.setAttribute("role", "img");
  graph.setAttribute("aria-label", plainText(figure.layout.title?.text) || "Chart");
  if (!chart.drawn) graph.replaceChildren();
  const layout = { ...figure.layout, template: themeTemplate(theme), height: data.height, autosize: true };
  layout.uirevision = `${data.key} ${figure.layout.uirevision ?? ""}`;
  layout.shapes = [...(figure.layout.shapes ?? []), ...data.shapes];
  const { shapes = [], xaxis, yaxis } = figure.layout;
  const whole = { x: [...(xaxis?.range ?? [])], y: [...(yaxis?.range ?? [])] }; // Plotly writes into the figure's own
  // A view is put on again: Plotly keeps what a user zoomed to, not what the page did.
  Object.assign(chart, { look, figure: { shapes, whole }, marks: JSON.stringify(data.shapes), view: "null" });
  const tools = ["zoom2d", ...(data.boxes ? ["select2d"] : []), "pan2d", "resetScale2d", "toImage"];
  await window.Plotly.react(graph, figure.data.map((trace) => prepareTrace(trace, theme)), layout, {
    displaylogo: false,
    modeBarButtons: [tools],
    toImageButtonOptions: { filename: data.key, scale: 2 },
  });
  if (!chart.drawn) listen(chart);
  chart.drawn = true;
}

async function putOnTop(chart) {
  const { graph, data, figure } = chart;
  const marks = JSON.stringify(data.shapes);
  const view = JSON.stringify(data.view);
  const update = {};
  if (marks !== chart.marks) update.shapes = [...figure.shapes, ...data.shapes];
  if (view !== chart.view) {
    update["xaxis.range"] = [...(data.view ?? figure.whole).x];
    update["yaxis.range"] = [...(data.view ?? figure.whole).y];
  }
  Object.assign(chart, { marks, view });
  if (Object.keys(update).length) await window.Plotly.relayout(graph, update);
}

function listen(chart) {
  const { graph } = chart;
  graph.on("plotly_click", ({ points: [point] }) => {
    if (!chart.data.clickable) return;
    const { x, y, customdata = null } = point;
    chart.setTriggerValue("click", { x, y, customdata });
  });
  graph.on("plotly_selected", (selected) => {
    if (!chart.data.boxes || !selected?.range) return;
    const { xaxis, yaxis } = graph._fullLayout;
    const box = { x: touched(selected.range.x, xaxis), y: touched(selected.range.y, yaxis) };
    window.Plotly.relayout(graph, { selections: [] }); // the marks show what was chosen, cell by cell
    chart.setTriggerValue("box", box);
  });
  graph.addEventListener("click", ({ target }) => {
    const label = chart.data.labels && target.closest(".xtick text, .ytick text");
    if (!label) return;
    const axis = label.closest(".xtick") ? "x" : "y";
    chart.setTriggerValue("label", { axis, index: Math.round(label.__data__.x) }); // bound by Plotly, by way of d3
  });
  graph.on("plotly_hover", () => graph.classList.toggle("over-mark", chart.data.clickable));
  graph.on("plotly_unhover", () => graph.classList.remove("over-mark"));
}

// A category covers half a step to both sides of its place.
function touched(range, axis) {
  const inside = (place) => Math.min(Math.max(Math.round(place), 0), axis._categories.length - 1);
  return [inside(Math.min(...range)), inside(Math.max(...range))];
}

function prepareTrace({ cells, ...trace }, theme) {
  if (cells) Object.assign(trace, unpackCells(cells, trace.y.length, trace.x.length));
  // Plotly chooses the colour of text in a cell as if see-through cells lay on white, so see-through is mixed here.
  if (Array.isArray(trace.colorscale)) {
    trace.colorscale = trace.colorscale.map(([at, colour]) => [at, mixColour(colour, theme.background)]);
  }
  return trace;
}

// A matrix of many classes is nearly empty: it travels as a list of its filled cells.
function unpackCells({ row, column, z, customdata }, rows, columns) {
  const [at, to, values] = [row, column, z].map(unpackArray);
  const hover = customdata.map(unpackArray);
  const grid = () => Array.from({ length: rows }, () => new Array(columns));
  const grids = { z: grid(), customdata: grid() };
  values.forEach((value, i) => {
    grids.z[at[i]][to[i]] = value;
    grids.customdata[at[i]][to[i]] = hover.map((list) => list[i]);
  });
  return grids;
}

const ARRAYS = {
  u1: Uint8Array, u2: Uint16Array, u4: Uint32Array, i1: Int8Array, i2: Int16Array, i4: Int32Array,
  f4: Float32Array, f8: Float64Array,
};

function unpackArray({ dtype, bdata }) {
  const bytes = Uint8Array.from(atob(bdata), (letter) => letter.charCodeAt(0));
  return new ARRAYS[dtype](bytes.buffer);
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
