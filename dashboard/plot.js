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
  const figure = JSON.parse(data.figure);
  graph.style.height = `${data.height}px`;
  graph.setAttribute("role", "img");
  graph.setAttribute("aria-label", plainText(figure.layout.title?.text) || "Chart");
  try {
    await loadPlotly(data.script);
  } catch {
    graph.textContent = `The chart cannot be drawn because ${data.script} did not load. Please reload the page.`;
    return;
  }
  if (turn !== chart.turn) return;
  if (!chart.drawn) graph.replaceChildren();
  const theme = readTheme(graph);
  const layout = { ...figure.layout, template: themeTemplate(theme), height: data.height, autosize: true };
  layout.uirevision = `${data.key} ${figure.layout.uirevision ?? ""}`;
  await window.Plotly.react(graph, figure.data.map((trace) => prepareTrace(trace, theme)), layout, {
    displaylogo: false,
    modeBarButtons: [["zoom2d", "pan2d", "resetScale2d", "toImage"]],
    toImageButtonOptions: { filename: data.key, scale: 2 },
  });
  if (!chart.drawn) listen(chart);
  chart.drawn = true;
  fitChart(chart);
}

function listen(chart) {
  chart.graph.on("plotly_click", ({ points: [point] }) => {
    if (!chart.data.clickable) return;
    const { x, y, customdata = null } = point;
    chart.setTriggerValue("click", { x, y, customdata });
  });
  chart.graph.on("plotly_hover", () => chart.graph.classList.toggle("over-mark", chart.data.clickable));
  chart.graph.on("plotly_unhover", () => chart.graph.classList.remove("over-mark"));
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
function unpackCells({ row, column, ...values }, rows, columns) {
  const grids = {};
  for (const [name, list] of Object.entries(values)) {
    const grid = Array.from({ length: rows }, () => new Array(columns));
    list.forEach((value, i) => { grid[row[i]][column[i]] = value; });
    grids[name] = grid;
  }
  return grids;
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
