"use strict";
// Draws every <figure data-chart="i"> from entry i of the JSON above. Colours come from the page's variables, so a change of
// theme or a print draws them anew.
(() => {
  const charts = JSON.parse(document.getElementById("charts").textContent);
  const figures = [...document.querySelectorAll("figure[data-chart]")];
  let drawn = [];

  const compact = v => v == null ? "–" : Math.abs(v) >= 1000 ? Math.round(v).toString() : Number(v.toPrecision(4)).toString();

  function draw(figure) {
    const chart = charts[figure.dataset.chart];
    const style = getComputedStyle(document.documentElement);
    const colour = name => style.getPropertyValue("--" + name).trim();
    const bars = chart.bars;
    const axis = { stroke: colour("soft"), grid: { stroke: colour("rule"), width: 1 }, ticks: { stroke: colour("rule"), width: 1, size: 5 }, font: "12px system-ui, sans-serif" };
    const small = figure.classList.contains("small");
    return new uPlot({
      width: Math.max(figure.clientWidth, 200),
      height: small ? 160 : 215,
      scales: {
        x: { time: false, range: bars ? () => [-0.6, bars.length - 0.4] : undefined },
        y: { range: (u, low, high) => {
          if (low == null) { return [0, 1]; }
          const pad = (high - low) * 0.06 || Math.abs(high) * 0.1 || 1;
          return [bars || !small && low >= 0 && low < high * 0.5 ? 0 : low - pad, high + pad];
        } },
      },
      cursor: bars ? { y: false } : { y: false, sync: { key: "time" }, drag: { x: true, y: false } },
      legend: { live: true },
      axes: [
        { ...axis, values: (u, at) => at.map(v => bars ? bars[v] ?? "" : compact(v) + " s"), incrs: bars ? [1, 2, 5, 10, 20] : undefined, space: bars ? 44 : 70, size: 32 },
        { ...axis, values: (u, at) => at.map(compact), size: 62, space: small ? 30 : 36 },
      ],
      series: [
        { label: bars ? "from" : "time", value: (u, v) => v == null ? "–" : bars ? bars[v] + " µs" : v.toFixed(2) + " s" },
        ...chart.lines.map(line => ({
          label: line.label,
          stroke: colour(line.colour),
          width: bars ? 0 : small ? 1.1 : 1.4,
          dash: line.dashed ? [5, 4] : undefined,
          fill: bars ? colour(line.colour) : undefined,
          paths: bars ? uPlot.paths.bars({ size: [0.86, 60] }) : line.points ? () => null : undefined,
          points: { show: line.points, size: 4, width: 0, fill: colour(line.colour) },
          value: (u, v) => v == null ? "–" : compact(v) + (chart.unit && !bars ? " " + chart.unit : ""),
        })),
      ],
    }, chart.data, figure);
  }

  function redraw() {
    drawn.forEach(plot => plot.destroy());
    drawn = figures.map(draw);
  }

  redraw();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  addEventListener("beforeprint", () => { document.documentElement.classList.add("print"); redraw(); });
  addEventListener("afterprint", () => { document.documentElement.classList.remove("print"); redraw(); });
  let waiting = 0;
  addEventListener("resize", () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => drawn.forEach((plot, i) => plot.setSize({ width: Math.max(figures[i].clientWidth, 200), height: plot.height })), 100);
  });
})();
