// The compare page: one table of what is chosen. The form is the state; its differences from the page as it was written
// stand in the address. Of what is published no statistic is computed here: intervals come from data/compare.json, verdicts
// ready-made from data/baselines.json; figures are divided by each other, and such ratios averaged. Every word comes from the page.
(function () {
  "use strict";
  const form = document.querySelector("form.fb-compare-controls");
  if (!form) return;
  const base = document.currentScript.src.replace(/assets\/[^/]*$/, "");
  const { metrics, words } = JSON.parse(document.getElementById("fb-script").content.textContent);
  const get = (id) => document.getElementById(id);
  const table = document.querySelector("table.fb-compared");
  const head = table.querySelector(".fb-head-unit");
  const output = form.querySelector("output");
  const rest = document.querySelector("button.fb-rest");
  const means = get("over-the-selection");
  const beside = get("side-by-side");
  const own = get("your-own-numbers");
  const facets = [...form.querySelectorAll("[data-facet]")].map((row) => row.dataset.facet).filter((key) => key !== "mode");
  const PAGE = 60;
  const BYTES = 1 << 28;
  let data = null;
  let verdicts = {};
  let loading = null;
  let pair = [];
  let mine = [];
  let view = [];
  let room = PAGE;

  const rowsOfBoxes = new Map([...form.querySelectorAll("[data-facet]")].map((row) => [row.dataset.facet, [...row.querySelectorAll("input")]]));
  const boxes = (key) => rowsOfBoxes.get(key) || [];
  const chosen = (key) => new Set(boxes(key).filter((box) => box.checked).map((box) => box.value));
  const say = (pattern, values) => pattern.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? values[name] : whole));
  const metric = () => metrics.find((one) => one.key === form.elements.metric.value);

  function element(tag, text, className) {
    const node = document.createElement(tag);
    if (text !== undefined) node.textContent = text;
    if (className) node.className = className;
    return node;
  }

  // Figures as framebench/pages/figures.py writes them
  const grouped = (value, decimals) => {
    const [whole, part] = value.toFixed(Math.min(20, decimals)).split(".");
    return whole.replace(/\B(?=(\d{3})+$)/g, "\u202f") + (part ? "." + part : "");
  };
  const size = (value) => (value ? Math.floor(Math.log10(Math.abs(value))) : 0);
  const significant = (value) => (Number.isFinite(value) ? grouped(value, Math.max(0, 2 - size(value))) : words.none);

  function scaled(kind, value) {
    if (kind === "share") return [100, "%"];
    const steps = kind === "ns" ? [[1e9, "s"], [1e6, "ms"], [1e3, "µs"], [1, "ns"]] : kind === "bytes" ? [[2 ** 30, "GiB"], [2 ** 20, "MiB"], [1024, "KiB"], [1, "B"]] : [[1, ""]];
    const [by, unit] = steps.find(([least]) => Math.abs(value) >= least) || steps[steps.length - 1];
    return [1 / by, unit];
  }

  function written(of, value, low, high) {
    const [by, unit] = scaled(of.kind, value);
    const tail = unit || of.unit;
    const end = tail ? " " + tail : "";
    if (low == null || high == null) return [significant(value * by) + end, ""];
    const half = ((high - low) / 2) * by;
    const decimals = Math.min(6, Math.max(0, 2 - size(value * by), half > 0 ? -size(half) : 0));
    return [grouped(value * by, decimals) + end, grouped(low * by, decimals) + "\u2009–\u2009" + grouped(high * by, decimals)];
  }

  function load() {
    const read = (name) => fetch(base + "data/" + name).then((answer) => {
      if (!answer.ok) throw new Error("HTTP " + answer.status);
      return answer.json();
    });
    loading = loading || Promise.all([
      read("compare.json"),
      read("baselines.json").catch((error) => { verdicts = null; return error; }),
    ]).then(([figures, answer]) => {
      data = figures;
      data.members = data.groups.anchor.map(() => []);
      data.results.group.forEach((group, result) => data.members[group].push(result));
      data.at = new Map(data.results.id.map((id, result) => [id, result]));
      verdicts = verdicts && answer;
      output.dataset.failed = verdicts ? "" : say(words.unverdicted, { error: answer.message });
    }).catch((error) => {
      loading = null;
      output.textContent = say(words.failed, { error: error.message });
      throw error;
    });
    return loading;
  }

  // --- the address

  function address() {
    const query = new URLSearchParams();
    for (const row of form.querySelectorAll("[data-facet]")) {
      const all = boxes(row.dataset.facet);
      if (all.every((box) => box.checked === box.defaultChecked)) continue;
      const values = all.filter((box) => box.checked).map((box) => box.value);
      for (const value of values.length ? values : [""]) query.append(row.dataset.facet, value);
    }
    for (const node of form.querySelectorAll("select")) {
      if (!node.selectedOptions[0].defaultSelected) query.set(node.name, node.value);
    }
    for (const node of form.querySelectorAll("input[type=number]")) if (node.value) query.set(node.name.slice(6), node.value);
    if (pair.length) query.set("two", pair.join());
    const text = query.toString();
    return location.pathname + (text ? "?" + text : "");
  }

  function restore() {
    const query = new URLSearchParams(location.search);
    for (const node of form.elements) {
      if (node.type === "checkbox") node.checked = node.defaultChecked;
      if (node.options) node.selectedIndex = [...node.options].findIndex((option) => option.defaultSelected);
    }
    for (const row of form.querySelectorAll("[data-facet]")) {
      const wanted = new Set(query.getAll(row.dataset.facet));
      const all = boxes(row.dataset.facet);
      if (wanted.has("") || all.some((box) => wanted.has(box.value))) all.forEach((box) => { box.checked = wanted.has(box.value); });
    }
    for (const node of form.querySelectorAll("select")) {
      if ([...node.options].some((option) => option.value === query.get(node.name))) node.value = query.get(node.name);
    }
    for (const node of form.querySelectorAll("input[type=number]")) {
      const limit = Number(query.get(node.name.slice(6)));
      node.value = limit > 0 && Number.isFinite(limit) ? limit : "";
    }
    pair = (query.get("two") || "").split(",").filter(Boolean).slice(0, 2);
    room = PAGE;
    const group = data ? data.groups.anchor.indexOf(decodeHash()) : -1;
    if (group >= 0) {
      for (const key of facets) boxes(key).forEach((box) => { box.checked = box.value === data.groups[key][group]; });
    }
    return group >= 0;
  }

  function decodeHash() {
    try { return decodeURIComponent(location.hash.slice(1)); } catch { return ""; }
  }

  // --- what is chosen

  // A choice that nothing has beside the others would empty the table: the nearest case joins the choice.
  function admit(groups) {
    const sets = facets.map((key) => [key, chosen(key)]);
    const misses = (group) => sets.filter(([key, set]) => set.size && !set.has(data.groups[key][group])).map(([key]) => key);
    let best = null;
    for (const group of groups) {
      const missed = misses(group);
      if (!best || missed.length < best.length) best = Object.assign(missed, { group });
    }
    for (const key of best || []) {
      boxes(key).forEach((box) => { box.checked = box.checked || box.value === data.groups[key][best.group]; });
    }
  }

  function limits() {
    return [...form.querySelectorAll("input[type=number]")]
      .filter((node) => node.value && Number(node.value) >= 0)
      .map((node) => [node.dataset.column, Number(node.value) * Number(node.dataset.scale)]);
  }

  const figure = (result, column) => {
    const values = data.figures[column];
    return values && !data.results.failure[result] ? values[result] : null;
  };

  function rowOf(result, { column }, { from, against }) {
    const { results, contenders, texts } = data;
    const who = results.contender[result];
    const value = figure(result, column);
    return {
      id: results.id[result], label: contenders.label[who], name: contenders.name[who], stack: contenders.stack[who], mode: contenders.mode[who],
      ranked: results.ranked[result], failure: texts[results.failure[result]], kernels: texts[results.kernels[result]], marks: texts[results.marks[result]],
      value, low: figure(result, column + "_low"), high: figure(result, column + "_high"),
      isBaseline: result === from.result, against: against[results.id[result]], ratio: from.value && value != null ? value / from.value : null,
    };
  }

  // The groups of the view: results, best first, who has no figure last; whom they are compared with; and what the
  // limits left.
  function select() {
    const { key, column, higher } = metric();
    const sets = facets.map((name) => [data.groups[name], chosen(name)]).filter(([, set]) => set.size);
    const modes = chosen("mode");
    const bounds = limits();
    const count = { shown: 0, above: 0, unknown: 0 };
    const { label: labels, slug: slugs, mode } = data.contenders;
    const { contender, id } = data.results;
    const ahead = (one, other) => (one == null) - (other == null) || (higher ? other - one : one - other) || 0;
    const within = (result) => {
      if (modes.size && !modes.has(mode[contender[result]])) return false;
      count.shown += 1;
      if (!bounds.length) return true;
      const values = bounds.map(([name]) => figure(result, name));
      const unknown = values.some((value) => value == null);
      const above = !unknown && values.some((value, number) => value > bounds[number][1]);
      count.unknown += unknown;
      count.above += above;
      return !unknown && !above;
    };
    view = [];
    data.groups.anchor.forEach((anchor, group) => {
      if (!sets.every(([values, set]) => set.has(values[group]))) return;
      const label = form.elements.baseline.value || data.groups.baseline[group];
      const every = data.members[group];
      const against = key === "throughput" && verdicts ? (verdicts[anchor] || {})[label] || {} : {};
      const named = every.find((result) => labels[contender[result]] === label) ?? every.find((result) => slugs[contender[result]] === label && !against[id[result]]);
      const from = { result: named, value: named == null ? null : figure(named, column) };
      let best = null;
      for (const result of every) {
        const value = figure(result, column);
        if (value != null && (best == null || ahead(value, best) < 0)) best = value;
      }
      const results = every.filter(within).sort((one, other) => ahead(figure(one, column), figure(other, column)));
      const yours = mine.filter((one) => one.case === data.groups.case[group]).map((one) => {
        const value = one.figures[column] ?? null;
        const [low, high] = one.around[column] || [];
        return { ...one, value, low, high, ratio: from.value && value != null ? value / from.value : null };
      });
      if (results.length || yours.length) view.push({ group, best, from, against, results, yours });
    });
    return { ...count, bounded: bounds.length };
  }

  // --- the table

  function draw() {
    const changed = [...form.querySelectorAll("details input")].some((box) => box.checked !== box.defaultChecked);
    if (changed) form.querySelector("details").open = true;
    const count = select();
    const of = metric();
    const units = new Set(view.map(({ group }) => data.groups.unit[group]));
    head.textContent = of.kind === "rate" && units.size === 1 ? [...units][0] : of.name;
    table.classList.toggle("fb-mixed", of.kind === "rate" && units.size > 1);
    table.caption.textContent = [of.name, of.notes].filter(Boolean).join(". ");
    table.querySelectorAll("tbody").forEach((body) => body.remove());
    let left = room;
    let hidden = 0;
    const page = document.createDocumentFragment();
    for (const part of view) {
      const shown = part.results.slice(0, Math.max(0, left));
      hidden += part.results.length - shown.length;
      left -= shown.length;
      if (shown.length || left > 0) page.append(body(part, shown, of));
    }
    if (!view.length) {
      const empty = element("tbody");
      const cell = element("td", words.nothing, "fb-reason");
      cell.colSpan = 8;
      empty.append(element("tr"));
      empty.firstChild.append(cell);
      page.append(empty);
    }
    table.append(page);
    rest.hidden = !hidden;
    rest.textContent = say(words.more, { n: Math.min(hidden, PAGE) });
    const within = count.shown - count.above - count.unknown;
    const said = [say(words.shown, { shown: within, all: data.results.id.length, cases: view.length, groups: data.groups.anchor.length })];
    if (count.bounded) said.push(say(words.left, { left: within, ...count }));
    if (output.dataset.failed) said.push(output.dataset.failed);
    output.textContent = said.join(" · ");
    drawMeans();
    drawPair();
    drawPlaces();
  }

  function body(view, shown, of) {
    const { group, best, yours } = view;
    const rows = shown.map((result) => rowOf(result, of, view)).concat(yours);
    const worth = (row) => (row.value == null ? Infinity : of.higher ? -row.value : row.value);
    if (yours.length) rows.sort((one, other) => worth(one) - worth(other) || 0);
    const part = element("tbody");
    part.setAttribute("role", "rowgroup");
    part.dataset.group = data.groups.anchor[group];
    const top = get("fb-group").content.firstElementChild.cloneNode(true);
    const link = top.querySelector(".fb-title");
    link.textContent = data.groups.title[group];
    link.hash = data.groups.anchor[group];
    top.querySelector(".fb-caption").textContent = data.groups.caption[group];
    const note = top.querySelector(".fb-case-note");
    note.textContent = data.groups.note[group];
    note.hidden = !note.textContent;
    const widest = rows.reduce((most, row) => Math.max(most, row.value == null ? 0 : row.high ?? row.value), 0);
    part.append(top, ...rows.map((row) => line(row, best, widest, of, data.groups.unit[group])));
    return part;
  }

  function line(row, best, widest, of, unit) {
    const none = row.value == null;
    const node = get(none ? "fb-failed" : "fb-line").content.firstElementChild.cloneNode(true);
    const put = (name, text) => { node.querySelector(name).textContent = text; };
    node.dataset.result = row.id;
    node.dataset.contender = row.label;
    node.dataset.stack = row.stack;
    const pick = node.querySelector(".fb-pick");
    pick.value = row.id;
    pick.checked = pair.includes(row.id);
    pick.setAttribute("aria-label", pick.getAttribute("aria-label") + row.name);
    const name = node.querySelector(".fb-name");
    name.textContent = row.name;
    if (row.own) {
      name.removeAttribute("href");
      pick.remove();
    } else name.href = base + "results/" + row.id + "/" + (location.protocol === "file:" ? "index.html" : "");
    const marks = node.querySelector(".fb-marks");
    for (const mark of (row.marks || "").split("\n").filter(Boolean)) {
      const [word, meaning] = mark.split("\t");
      const span = element("span", word, "fb-mark" + (row.own ? " fb-mark--own" : " fb-mark--warn"));
      if (meaning) span.title = meaning;
      marks.append(" ", span);
    }
    node.classList.toggle("fb-own", Boolean(row.own));
    if (none) {
      put(".fb-reason", row.failure || words.unmeasured);
      return node;
    }
    const share = best ? row.value / best : null;
    const [value, interval] = written(of, row.value, row.low, row.high);
    put(".fb-value", value);
    put(".fb-unit", of.kind === "rate" ? " " + unit : "");
    put(".fb-of-best", share == null ? "" : say(words.best, { share: significant(share * 100) + " %" }));
    put(".fb-value-ci", interval || words.none);
    const far = share == null || row.own ? 0 : Math.min(100, ((of.higher ? 1 / share : share) - 1) * 100);
    node.querySelector(".fb-relative").style.setProperty("--r", Math.max(0, far || 0).toFixed(0));
    const bar = node.querySelector(".fb-bar");
    bar.dataset.mode = row.mode;
    bar.dataset.ranked = row.ranked ? "yes" : "no";
    const at = (figure) => Math.min(100, Math.max(0, widest ? ((figure ?? row.value) / widest) * 100 : 0)).toFixed(2);
    bar.style.cssText = "--v:" + at(row.value) + ";--lo:" + at(row.low) + ";--hi:" + at(row.high);
    bar.firstElementChild.hidden = !interval;
    const [ratio, around, verdict, word] = row.isBaseline
      ? ["1", "", "", words.baseline]
      : row.against || [row.ratio == null ? words.none : significant(row.ratio), "", "", row.own ? words.yours : words.none];
    put(".fb-ratio", ratio);
    put(".fb-ratio-ci", around);
    const judged = node.querySelector(".fb-verdict");
    judged.textContent = word;
    if (verdict) judged.classList.add("fb-verdict--" + verdict);
    node.classList.toggle("fb-baseline", Boolean(row.isBaseline));
    node.querySelector(".fb-relative").classList.toggle("fb-tie", verdict === "tied");
    put(".fb-kernels", row.kernels || words.none);
    node.querySelector(".fb-kernels").classList.toggle("fb-none", !row.kernels);
    return node;
  }

  function cells(row, texts, numbers) {
    row.append(...texts.map((text, index) => {
      const cell = element(index ? "td" : "th", text, numbers.includes(index) ? "fb-num" : "fb-reason");
      if (!index) cell.scope = "row";
      return cell;
    }));
    return row;
  }

  // --- over the selection

  function drawMeans() {
    const compared = view.filter(({ from, results }) => from.value && results.length);
    means.hidden = compared.length < 2;
    if (means.hidden) return;
    const { column } = metric();
    const who = new Map();
    compared.forEach(({ results, from }, number) => {
      for (const result of results) {
        const contender = data.results.contender[result];
        if (!who.has(contender)) who.set(contender, { name: data.contenders.name[contender], sum: 0, cases: [] });
        const value = figure(result, column);
        if (value == null) continue;
        const one = who.get(contender);
        one.sum += Math.log(value / from.value);
        one.cases.push(number);
      }
    });
    const lines = [...who.values()].map((one) => ({ ...one, mean: one.cases.length ? Math.exp(one.sum / one.cases.length) : null }));
    const sign = metric().higher ? -1 : 1;
    lines.sort((one, other) => (one.mean == null) - (other.mean == null) || sign * (one.mean - other.mean) || 0);
    means.querySelector("tbody").replaceChildren(...lines.map(({ name, cases, mean }) => {
      const has = new Set(cases);
      const lacks = compared.length - has.size;
      const named = [];
      for (let number = 0; named.length < Math.min(4, lacks); number += 1) if (!has.has(number)) named.push(data.groups.title[compared[number].group]);
      if (lacks > 4) named.push(say(words.rest, { n: lacks - 4 }));
      return cells(element("tr"), [name, mean == null ? words.none : significant(mean), String(has.size), named.join("; ") || words.none], [1, 2]);
    }));
  }

  // --- two results side by side

  function drawPair() {
    pair = pair.filter((id) => data.at.has(id));
    beside.querySelector(".fb-two-said").textContent = say(words.two, { n: pair.length });
    beside.querySelector(".fb-scroll").hidden = pair.length < 2;
    if (pair.length < 2) return;
    const [one, other] = pair.map((id) => data.at.get(id));
    const { results, groups, contenders, texts, figures } = data;
    const both = (name, read) => cells(element("tr"), [name, read(one), read(other), ""], [3]);
    const group = (result) => results.group[result];
    const rows = [
      both(words.case, (result) => groups.title[group(result)]),
      both(words.place, (result) => groups.caption[group(result)]),
      both(words.image, (result) => texts[results.image[result]] || words.none),
      both(words.measured, (result) => results.started_utc[result]),
      both(words.kernels, (result) => texts[results.kernels[result]] || words.none),
    ];
    if (results.failure[one] || results.failure[other]) rows.push(both(words.outcome, (result) => texts[results.failure[result]] || words.none));
    const same = groups.case[group(one)] === groups.case[group(other)];
    for (const of of metrics) {
      const values = [one, other].map((result) => figures[of.column][result]);
      if (values.every((value) => value == null)) continue;
      const text = [one, other].map((result, index) => {
        if (values[index] == null) return words.none;
        const end = (suffix) => (figures[of.column + suffix] ? figures[of.column + suffix][result] : null);
        const [value, interval] = written(of, values[index], end("_low"), end("_high"));
        return value + (of.kind === "rate" ? " " + groups.unit[group(result)] : "") + (interval ? " (" + interval + ")" : "");
      });
      const ratio = same && values[0] != null && values[1] ? significant(values[0] / values[1]) : words.none;
      rows.push(cells(element("tr"), [of.name, ...text, ratio], [1, 2, 3]));
    }
    const judged = group(one) === group(other) && verdicts ? ((verdicts[groups.anchor[group(one)]] || {})[contenders.label[results.contender[other]]] || {})[pair[0]] : null;
    if (judged) rows.push(cells(element("tr"), [words.speed, "", "", judged[0] + (judged[1] ? " (" + judged[1] + ")" : "")], [3]));
    const heads = [words.contender, ...[one, other].map((result) => contenders.name[results.contender[result]]), words.ratio];
    beside.querySelector("thead tr").replaceChildren(...heads.map((text) => Object.assign(element("th", text), { scope: "col" })));
    beside.querySelector("tbody").replaceChildren(...rows);
  }

  // --- numbers of one's own

  const middle = (values) => {
    const sorted = [...values].sort((one, other) => one - other);
    const half = sorted.length >> 1;
    return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
  };
  // Two-sided 95 % quantiles of Student's t, to 0.1 %
  const t95 = (df) => [0, 12.706, 4.303][df] || 1.95996 + (2.37227 + (2.8225 + (2.5558 + 1.589 / df) / df) / df) / df;
  const positive = (value) => typeof value === "number" && Number.isFinite(value) && value > 0;

  async function unpacked(file) {
    if (file.size > BYTES) throw new Error(words.not_archive);
    let bytes = new Uint8Array(await file.arrayBuffer());
    if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return [new TextDecoder().decode(bytes)];
    const reader = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip")).getReader();
    const parts = [];
    let total = 0;
    try {
      for (let part = await reader.read(); !part.done; part = await reader.read()) {
        total += part.value.length;
        if (total > BYTES) throw new Error();
        parts.push(part.value);
      }
    } catch { throw new Error(words.not_archive); }
    bytes = new Uint8Array(await new Blob(parts).arrayBuffer());
    const decode = (from, to) => new TextDecoder().decode(bytes.subarray(from, to)).replace(/\0.*$/s, "");
    const found = [];
    for (let at = 0; at + 512 <= bytes.length && bytes[at];) {
      const length = parseInt(decode(at + 124, at + 136), 8);
      if (decode(at + 257, at + 262) !== "ustar" || !(length >= 0)) throw new Error(words.not_archive);
      const kind = bytes[at + 156];
      const content = bytes.subarray(at + 512, at + 512 + length);
      // A long name may stand elsewhere, so the content tells: a sidecar is compressed.
      if ((kind === 0 || kind === 48) && content[0] !== 0x1f) found.push(new TextDecoder().decode(content));
      at += 512 + Math.ceil(length / 512) * 512;
    }
    return found;
  }

  // A trial's figures by column, none where it has none or ended badly; null for what is no record.
  function trial(text) {
    try { return figuresOf(JSON.parse(text)); } catch { return null; }
  }

  function figuresOf(record) {
    const { case: work, contender, provenance, outcome, timing, memory, hardware } = record;
    const texts = [record.trial_id, work.workload, work.preset, work.task, contender.stack, contender.mode, provenance.host_id, outcome.status];
    if (!texts.every((text) => typeof text === "string") || ![work.batch, work.cores].every(positive)) return null;
    const figures = {};
    const set = (column, value) => { if (outcome.status === "ok" && positive(value)) figures[column] = value; };
    const blocks = timing ? timing.blocks : []; // each [steps, wall_ns, …]
    if (blocks.length && blocks.every(([steps, wall]) => positive(steps) && positive(wall))) {
      set("units_per_s", (timing.units_per_step * 1e9) / middle(blocks.map(([steps, wall]) => wall / steps)));
      for (const point of ["p50", "p90", "p95", "p99"]) if (timing.latency) set("latency_" + point + "_ns", timing.latency[point + "_ns"]);
    }
    const phases = (record.phases || []).map((phase) => (Array.isArray(phase) ? phase : [phase.name, phase.wall_ns])); // as version 1 had them
    const first = phases.find(([name]) => name === "first_step");
    if (first) set("first_step_" + record.cache_state + "_ns", first[1]);
    if (memory) set("peak_memory_bytes", work.device === "cpu" ? memory.host_rss_peak - memory.host_rss_after_import : memory.device_delta);
    const gpus = hardware && Array.isArray(hardware.gpus) ? hardware.gpus.map((gpu) => gpu.name) : [];
    const slug = [contender.stack, contender.mode, contender.variant, contender.twin ? "twin" : ""].filter(Boolean).join("-");
    return {
      id: record.trial_id, figures, slug, twin: contender.twin, label: slug, stack: contender.stack, mode: contender.mode, host: provenance.host_id,
      case: work.workload + "/" + work.preset + "-" + work.task + "-b" + work.batch + "-" + (work.precision || "fp32") + "-" + (work.device || "cpu") + (work.device_count || 1) + "-c" + work.cores,
      hardware: hardware ? (work.device === "gpu" ? [...new Set(gpus)].sort().join(", ") : hardware.cpu_model) : null,
    };
  }

  // One row of one's own for each case, contender and host.
  function together(trials) {
    const by = new Map();
    for (const one of trials) {
      const key = [one.case, one.slug, one.host].join("\n");
      by.set(key, (by.get(key) || []).concat(one));
    }
    return [...by.values()].map((some) => {
      const figures = {};
      const around = {}; // as published: the t interval on logarithms
      for (const { column, kind } of metrics) {
        const logs = some.map((one) => one.figures[column]).filter(positive).map(Math.log);
        if (!logs.length) continue;
        const mean = logs.reduce((sum, value) => sum + value, 0) / logs.length;
        figures[column] = Math.exp(mean);
        if (kind !== "rate" || logs.length < 2) continue;
        const spread = logs.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (logs.length - 1);
        const half = t95(logs.length - 1) * Math.sqrt(spread / logs.length);
        around[column] = [Math.exp(mean - half), Math.exp(mean + half)];
      }
      const known = data.contenders.slug.indexOf(some[0].slug);
      return { ...some[0], own: true, ranked: true, figures, around, name: known < 0 ? some[0].slug : data.contenders.name[known], marks: words.yours + "\t" + some[0].host };
    });
  }

  let trials = new Map();
  async function take(files) {
    await load();
    const said = [];
    for (const file of files) {
      try {
        const texts = await unpacked(file);
        const found = texts.map(trial);
        found.filter(Boolean).forEach((one) => trials.set(one.id, one));
        const bad = found.filter((one) => !one).length + (texts.length ? 0 : 1);
        if (bad) said.push(say(words.unread, { file: file.name, n: bad, why: words.not_json }));
      } catch (error) {
        said.push(say(words.unread, { file: file.name, n: 1, why: error.message }));
      }
    }
    const timed = [...trials.values()].filter((one) => !one.twin && metrics.some(({ column }) => column in one.figures));
    mine = together(timed);
    for (const name of new Set(mine.map((one) => one.case))) {
      const known = data.groups.case.flatMap((one, group) => (one === name ? [group] : []));
      if (known.length) admit(known);
    }
    own.querySelector(".fb-own-said").textContent = [say(words.read, { n: trials.size, figures: timed.length }), ...said].join(" ");
    own.querySelector(".fb-forget").hidden = !trials.size;
    changed();
  }

  function drawPlaces() {
    own.querySelector(".fb-scroll").hidden = !mine.length;
    const rate = metrics[0];
    own.querySelector("tbody").replaceChildren(...mine.filter((one) => one.figures[rate.column]).map((one) => {
      const value = one.figures[rate.column];
      const hosts = new Map();
      let title = one.case;
      let unit = "";
      data.groups.case.forEach((name, group) => {
        if (name !== one.case) return;
        if (!unit) {
          title = data.groups.title[group];
          unit = " " + data.groups.unit[group];
        }
        if (data.groups.hardware[group] !== one.hardware || data.groups.host[group] === one.host) return;
        for (const result of data.members[group]) {
          const figure = data.contenders.slug[data.results.contender[result]] === one.slug && data.figures[rate.column][result];
          if (figure) hosts.set(data.groups.host[group], Math.max(figure, hosts.get(data.groups.host[group]) || 0));
        }
      });
      const others = [...hosts.values()];
      const span = others.length ? significant(Math.min(...others)) + "\u2009–\u2009" + significant(Math.max(...others)) : words.none;
      const place = say(words.class, { place: 1 + others.filter((other) => other > value).length, n: others.length + 1 });
      return cells(element("tr"), [title, one.name, significant(value) + unit, span, place], [2, 3]);
    }));
  }

  // --- the view as a file

  function download(kind) {
    const columns = Object.keys(data.figures);
    const shown = view.flatMap((part) => part.results.map((result) => {
      const row = rowOf(result, metric(), part);
      const place = Object.fromEntries(["case", "hardware", "host", "executor", "suite", "edition"].map((key) => [key, data.groups[key][part.group]]));
      return {
        result_id: row.id, ...place, contender: row.label, mode: row.mode, unranked: !row.ranked, reason: row.failure, kernels: row.kernels, metric: metric().column, to_baseline: row.ratio,
        ...Object.fromEntries(columns.map((name) => [name, data.figures[name][result]])),
      };
    }));
    const quoted = (value) => {
      if (typeof value !== "string") return value == null ? "" : String(value);
      const text = /^[=+\-@\t\r]/.test(value) ? "'" + value : value; // what a spreadsheet would compute
      return /[",\n\r]/.test(text) ? '"' + text.replace(/"/g, '""') + '"' : text;
    };
    const names = shown.length ? Object.keys(shown[0]) : [];
    const text = kind === "json" ? JSON.stringify(shown, null, 1) + "\n" : [names, ...shown.map((row) => names.map((name) => row[name]))].map((row) => row.map(quoted).join(",")).join("\r\n") + "\r\n";
    const link = element("a");
    link.href = URL.createObjectURL(new Blob([text], { type: kind === "json" ? "application/json" : "text/csv" }));
    link.download = "framebench-compare." + kind;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }

  // --- what happens

  function changed() {
    history.pushState(null, "", address());
    draw();
  }
  const ready = (then) => load().then(then, () => {});

  function show() {
    ready(() => {
      const linked = restore();
      draw();
      if (linked) get("view").scrollIntoView();
    });
  }

  if (location.protocol === "file:") {
    output.textContent = words.disk;
    for (const node of form.elements) node.disabled = true;
    own.hidden = beside.hidden = true;
    return;
  }
  for (const kind of ["focusin", "pointerover"]) form.addEventListener(kind, () => ready(() => {}), { once: true });
  form.addEventListener("change", ({ target: { name, value, type, checked } }) => ready(() => {
    if (type === "checkbox" && checked && facets.includes(name)) {
      admit(data.groups[name].flatMap((one, group) => (one === value ? [group] : [])));
    }
    room = PAGE;
    changed();
  }));
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(() => ready(() => {
    pair = [];
    room = PAGE;
    changed();
  })));
  form.addEventListener("click", (event) => {
    const kind = event.target.dataset.download;
    if (kind) ready(() => { select(); download(kind); });
  });
  table.addEventListener("change", ({ target: { value, checked } }) => {
    pair = pair.filter((id) => id !== value);
    if (checked) pair = [...pair, value].slice(-2);
    table.querySelectorAll(".fb-pick").forEach((pick) => { pick.checked = pair.includes(pick.value); });
    history.pushState(null, "", address());
    ready(drawPair);
  });
  rest.addEventListener("click", () => {
    room += PAGE;
    draw();
    if (rest.hidden) get("view").focus(); // else the keyboard is lost with the button
  });
  addEventListener("popstate", show);
  own.querySelector(".fb-files").addEventListener("change", (event) => ready(() => take([...event.target.files])));
  own.querySelector(".fb-forget").addEventListener("click", (event) => {
    trials = new Map();
    mine = [];
    own.querySelector(".fb-own-said").textContent = "";
    event.target.hidden = true;
    own.querySelector(".fb-files").focus();
    draw();
  });
  addEventListener("dragover", (event) => { if (event.dataTransfer.types.includes("Files")) event.preventDefault(); });
  addEventListener("drop", (event) => {
    if (!event.dataTransfer.files.length) return;
    event.preventDefault();
    ready(() => take([...event.dataTransfer.files]));
  });
  if (location.search || location.hash.length > 1) show();
})();
