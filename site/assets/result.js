// A result's page: drawings over time become charts to zoom and to read, once a reader moves and they are in sight. Values
// are those of the stored records, words are the page's. Where no file can be fetched (a folder on disk), drawings stay.
(function () {
  "use strict";
  const assets = document.currentScript.src.replace(/[^/]*$/, "");
  const figures = document.querySelectorAll("[data-trials]");
  if (location.protocol === "file:" || !window.DecompressionStream) return;
  const charts = [];
  const once = new Map();
  const remembered = (key, make) => once.get(key) || once.set(key, make()).get(key);

  const loaded = (node) => new Promise((done, failed) => {
    node.onload = done;
    node.onerror = failed;
    document.head.append(node);
  });
  const library = () => remembered("uPlot", () => Promise.all([
    loaded(Object.assign(document.createElement("link"), { rel: "stylesheet", href: assets + "vendor/uplot/uPlot.min.css" })),
    loaded(Object.assign(document.createElement("script"), { src: assets + "vendor/uplot/uPlot.iife.min.js" })),
  ]));

  // A sidecar is compressed, unless the server has said so and the browser has opened it
  async function stored(address) {
    const answer = await fetch(address);
    const bytes = await answer.blob();
    const [first] = new Uint8Array(await bytes.slice(0, 1).arrayBuffer());
    return new Response(first === 0x1f ? bytes.stream().pipeThrough(new DecompressionStream("gzip")) : bytes).json();
  }

  // Figures as framebench/pages/figures.py writes them
  function significant(value) {
    const decimals = Math.min(20, Math.max(0, 2 - (value ? Math.floor(Math.log10(Math.abs(value))) : 0)));
    const [whole, part] = value.toFixed(value ? decimals : 0).split(".");
    return whole.replace(/\B(?=(\d{3})+$)/g, "\u202f") + (part ? "." + part : "");
  }

  // As framebench/pages/over_time.py places them: trial after trial, each behind its warm-up or the end of it
  function blocks(records, scale) {
    const seconds = [];
    const rows = records.map(() => []);
    const bands = [];
    let now = 0;
    records.forEach(({ timing }, trial) => {
      const warm = now + Math.min(timing.warmup.wall_ns, timing.blocks.reduce((sum, [, wall]) => sum + wall, 0));
      bands.push([now / 1e9, warm / 1e9]);
      now = warm;
      for (const [steps, wall] of timing.blocks) {
        seconds.push((now + wall / 2) / 1e9);
        rows.forEach((row, other) => row.push(other === trial ? (wall / steps) * scale : null));
        now += wall;
      }
    });
    return { data: [seconds, ...rows], bands, ends: [0, now / 1e9] };
  }

  // Levels as they were read; of a counter what it gained per nanosecond since it was last read
  function telemetry({ telemetry: seen }, lines, counter, scale) {
    const rows = lines.map((line) => {
      const [metric, gpu] = line.split(":").reverse();
      const values = (gpu ? seen.gpus[gpu] : seen).metrics[metric];
      if (!counter) return values.map((value) => (value === null ? null : value * scale));
      let last = null;
      return values.map((value, tick) => {
        if (value === null) return null;
        const before = last;
        last = tick;
        return before === null ? null : ((value - values[before]) / (seen.t_ns[tick] - seen.t_ns[before])) * scale;
      });
    });
    return { data: [seen.t_ns.map((ns) => ns / 1e9), ...rows], bands: [], ends: [0, seen.t_ns[seen.t_ns.length - 1] / 1e9] };
  }

  async function draw(course, sources) {
    const { metrics, unit, scale } = course.dataset;
    const [held] = await Promise.all([Promise.all(sources.map((one) => remembered(one, () => stored(one)))), library()]);
    const { data, bands, ends } = metrics
      ? telemetry(held[0], metrics.split(" "), "counter" in course.dataset, +scale)
      : blocks(held, +scale);
    const box = course.querySelector(".fb-plotbox");
    const keys = [...course.querySelectorAll(".fb-legend li")].slice(0, data.length - 1);
    const labels = keys.map((key) => key.firstChild.textContent);
    const live = Object.assign(document.createElement("div"), { className: "fb-live", tabIndex: 0, role: "slider" });
    const said = document.createElement("p");
    said.className = "fb-said";
    said.setAttribute("aria-hidden", "true"); // the slider says the same
    live.setAttribute("aria-label", box.getAttribute("aria-label"));
    live.setAttribute("aria-valuemin", 0);
    live.setAttribute("aria-valuemax", data[0].length - 1);
    box.after(live, said);
    box.hidden = true;

    const colour = (name, node = document.body) => getComputedStyle(node).getPropertyValue(name).trim();
    const line = (number) => () => colour("--fb-colour", keys[number]);
    const axis = (more) => ({
      stroke: () => colour("--fb-muted"),
      font: "12px " + getComputedStyle(document.body).fontFamily,
      grid: { stroke: () => colour("--fb-line"), width: 1 },
      ticks: { show: false },
      ...more,
    });
    const size = () => ({ width: live.clientWidth, height: live.clientHeight });

    function tell(chart) {
      const place = chart.cursor.idx;
      if (place === null || place === undefined) return;
      const values = labels.map((label, number) => [label, data[number + 1][place]]).filter(([, value]) => value !== null);
      const text = [`${significant(data[0][place])} s`, ...values.map(([label, value]) => `${label} ${significant(value)} ${unit}`)].join(" · ");
      said.textContent = text;
      live.setAttribute("aria-valuenow", place);
      live.setAttribute("aria-valuetext", text);
    }

    function shade({ ctx, valToPos, bbox }) {
      ctx.save();
      ctx.fillStyle = colour("--fb-line");
      ctx.globalAlpha = 0.5;
      for (const band of bands) {
        const [left, right] = band.map((at) => Math.min(bbox.left + bbox.width, Math.max(bbox.left, valToPos(at, "x", true))));
        ctx.fillRect(left, bbox.top, right - left, bbox.height);
      }
      ctx.restore();
    }

    // As framebench/pages/views.py: at least 10 % of the largest
    function spread(_chart, low, high) {
      const half = Math.max((high - low) * 0.55, high * 0.05) || 1;
      return [Math.max(0, (high + low) / 2 - half), (high + low) / 2 + half];
    }

    const chart = new window.uPlot({
      ...size(),
      legend: { show: false },
      cursor: { y: false, drag: { x: true, y: false } },
      scales: { x: { time: false, range: (_chart, low, high) => (low === data[0][0] && high === data[0][data[0].length - 1] ? ends : [low, high]) }, y: { range: spread } },
      axes: [
        axis({ size: 28, values: (_chart, ticks) => ticks.map((tick) => `${tick} s`) }),
        axis({ size: 64, values: (_chart, ticks) => ticks.map((tick) => `${+tick.toPrecision(6)} ${unit}`) }),
      ],
      series: [{}, ...labels.map((label, number) => ({
        label,
        stroke: line(number),
        width: 1.5,
        spanGaps: true,
        ...(metrics ? { points: { show: false } } : { paths: () => null, points: { show: true, size: 5, stroke: line(number), fill: line(number) } }),
      }))],
      hooks: { drawClear: [shade], setCursor: [tell] },
    }, data, live);
    charts.push(chart);
    new ResizeObserver(() => chart.setSize(size())).observe(live);

    const go = (place) => chart.setCursor({ left: chart.valToPos(data[0][place], "x"), top: 0 });
    live.setAttribute("aria-valuenow", 0);
    live.addEventListener("focus", () => chart.cursor.idx ?? go(chart.series[0].idxs[0]));
    live.addEventListener("keydown", (event) => {
      const [first, last] = chart.series[0].idxs;
      const place = chart.cursor.idx ?? first;
      const { min, max } = chart.scales.x;
      const zoom = (by) => {
        const half = ((max - min) / 2) * by;
        const middle = data[0][place];
        chart.setScale("x", { min: Math.max(ends[0], middle - half), max: Math.min(ends[1], middle + half) });
        queueMicrotask(() => go(place)); // when uPlot has the new scale
      };
      const keys = {
        ArrowLeft: () => go(Math.max(first, place - 1)),
        ArrowRight: () => go(Math.min(last, place + 1)),
        Home: () => go(first),
        End: () => go(last),
        "+": () => zoom(0.5),
        "-": () => zoom(2),
        0: () => chart.setScale("x", { min: ends[0], max: ends[1] }),
      };
      if (!keys[event.key] || event.ctrlKey || event.altKey || event.metaKey) return;
      event.preventDefault();
      keys[event.key]();
    });
  }

  const seen = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) {
      if (!isIntersecting) continue;
      seen.unobserve(target);
      const { folder, ending, trials } = target.dataset;
      const sources = trials.split(" ").map((trial) => folder + trial + ending);
      Promise.all([...target.querySelectorAll(".fb-course")].map((course) => draw(course, sources))).then(
        () => target.querySelectorAll(".fb-hint").forEach((hint) => (hint.hidden = false)),
        () => {}, // the drawings stay
      );
    }
  });
  const moved = new AbortController();
  const watch = () => {
    moved.abort();
    figures.forEach((figure) => seen.observe(figure));
  };
  ["scroll", "pointermove", "keydown"].forEach((kind) => addEventListener(kind, watch, { passive: true, signal: moved.signal }));
  new MutationObserver(() => charts.forEach((chart) => chart.redraw())).observe(document.body, { attributeFilter: ["data-md-color-scheme"] });
})();
