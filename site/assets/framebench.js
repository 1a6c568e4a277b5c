// Progressive enhancement of the compare page: choose which tables are shown and who is the baseline; the
// choice lives in the URL's query. Every page is complete without this file. No statistic is computed here:
// ratios, intervals and verdicts for every baseline come ready-made from data/baselines.json.
(function () {
  "use strict";
  const base = document.currentScript ? document.currentScript.src.replace(/assets\/[^/]*$/, "") : "";
  const FILTERS = ["workload", "task", "preset", "precision", "place"];
  let comparisons = null;

  function load() {
    comparisons = comparisons || fetch(base + "data/baselines.json").then((answer) => {
      if (!answer.ok) throw new Error("HTTP " + answer.status);
      return answer.json();
    });
    return comparisons;
  }

  function fill(cell, text, className) {
    if (!cell) return;
    cell.textContent = text;
    if (className !== undefined) cell.className = className;
  }

  function rebase(section, table, baseline) {
    const against = (table[section.dataset.group] || {})[baseline] || {};
    section.querySelectorAll("tbody tr[data-contender]").forEach((row) => {
      const found = against[row.dataset.result];
      const own = row.dataset.contender === baseline && !found;
      row.classList.toggle("fb-baseline", own);
      const [ratio, interval, verdict, word] = own ? ["1", "", "", row.dataset.baselineWord] : found || ["–", "", "", "–"];
      fill(row.querySelector(".fb-ratio"), ratio);
      fill(row.querySelector(".fb-ratio-ci"), interval);
      fill(row.querySelector(".fb-verdict"), word, "fb-verdict" + (verdict ? " fb-verdict--" + verdict : ""));
    });
  }

  // Material adds a landmark to each code block when it comes into view; tell them apart.
  function nameCopyButtons() {
    document.querySelectorAll(".md-code__nav:not([aria-label])").forEach((node, number) => {
      const code = node.parentElement.querySelector("code");
      node.setAttribute("aria-label", "Copy: " + (code ? code.textContent.trim().slice(0, 60) : number));
    });
  }

  // On disk no server turns the address of a folder into that of its page.
  function nameIndexPages() {
    document.querySelectorAll("a[href]").forEach((link) => {
      if (link.protocol === "file:" && link.pathname.endsWith("/")) link.pathname += "index.html";
    });
  }

  function init() {
    nameCopyButtons();
    nameIndexPages();
    if (!document.body.dataset.fbWatched) {
      document.body.dataset.fbWatched = "yes";
      new MutationObserver(nameCopyButtons).observe(document.body, { childList: true, subtree: true });
    }
    const search = document.querySelector(".md-search[role=dialog]");
    if (search && !search.hasAttribute("aria-label")) search.setAttribute("aria-label", "Search");
    const controls = document.querySelector("form.fb-controls");
    if (!controls || controls.dataset.ready) return;
    controls.dataset.ready = "yes";
    const sections = [...document.querySelectorAll("section.fb-case")];
    const output = controls.querySelector("output");
    const selects = Object.fromEntries([...controls.querySelectorAll("select")].map((node) => [node.name, node]));
    const initial = selects.baseline ? selects.baseline.value : "";

    function restore() {
      const query = new URLSearchParams(location.search);
      for (const [name, node] of Object.entries(selects)) {
        const wanted = query.get(name);
        const known = [...node.options].some((option) => option.value === wanted);
        node.value = known ? wanted : name === "baseline" ? initial : "";
      }
    }

    function remember() {
      const query = new URLSearchParams();
      for (const [name, node] of Object.entries(selects)) {
        if (node.value && !(name === "baseline" && node.value === initial)) query.set(name, node.value);
      }
      const text = query.toString();
      history.replaceState(history.state, "", location.pathname + (text ? "?" + text : "") + location.hash);
    }

    function apply() {
      let shown = 0;
      for (const section of sections) {
        section.hidden = FILTERS.some((name) => selects[name] && selects[name].value && section.dataset[name] !== selects[name].value);
        if (!section.hidden) shown += 1;
      }
      document.querySelectorAll("[data-heading-for]").forEach((heading) => {
        heading.hidden = !sections.some((section) => !section.hidden && section.dataset.workload === heading.dataset.headingFor);
      });
      output.textContent = output.dataset.pattern.replace("{shown}", shown).replace("{all}", sections.length);
      const baseline = selects.baseline && selects.baseline.value;
      if (!baseline || (baseline === (controls.dataset.baseline || initial))) return;
      load().then((table) => {
        controls.dataset.baseline = baseline;
        sections.forEach((section) => rebase(section, table, baseline));
      }).catch((error) => { output.textContent = output.dataset.failed + " (" + error.message + ")"; });
    }

    controls.addEventListener("change", () => { remember(); apply(); });
    controls.addEventListener("submit", (event) => event.preventDefault());
    controls.addEventListener("reset", () => setTimeout(() => {
      for (const [name, node] of Object.entries(selects)) node.value = name === "baseline" ? initial : "";
      remember();
      apply();
    }));
    restore();
    apply();
  }

  if (window.document$) window.document$.subscribe(init);
  else document.addEventListener("DOMContentLoaded", init);
})();
