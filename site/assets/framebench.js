// What every page needs beside Material: names for what it leaves unnamed, and links that work from a folder on disk.
// Every page is complete without this file.
(function () {
  "use strict";
  // Material adds a landmark to each code block when it comes into view; tell them apart.
  function nameCopyButtons() {
    const copy = JSON.parse(document.getElementById("__config").textContent).translations["clipboard.copy"];
    document.querySelectorAll(".md-code__nav:not([aria-label])").forEach((node, number) => {
      const code = node.parentElement.querySelector("code");
      node.setAttribute("aria-label", copy + ": " + (code ? code.textContent.trim().slice(0, 60) : number));
    });
  }

  // On disk no server turns the address of a folder into that of its page.
  function nameIndexPages() {
    document.querySelectorAll("a[href]").forEach((link) => {
      if (link.protocol === "file:" && link.pathname.endsWith("/")) link.pathname += "index.html";
    });
  }

  // The palette's radio button that Tab comes to is that of the palette in use: the other one is what Space is for.
  function switchBySpace(event) {
    if (event.key !== " " || !event.target.matches(".md-option")) return;
    event.preventDefault();
    const other = event.target.nextElementSibling.control;
    other.click();
    other.focus();
  }

  // Material wraps tables and tabs in what scrolls on a narrow screen: the arrows scroll only what Tab comes to.
  function reachScrollers() {
    document.querySelectorAll(".md-typeset__scrollwrap, .tabbed-labels").forEach((node) => {
      if (node.scrollWidth > node.clientWidth) node.tabIndex = 0;
      else node.removeAttribute("tabindex");
    });
  }

  function init() {
    nameCopyButtons();
    nameIndexPages();
    reachScrollers();
    if (!document.body.dataset.fbWatched) {
      document.body.dataset.fbWatched = "yes";
      new MutationObserver(() => { nameCopyButtons(); reachScrollers(); }).observe(document.body, { childList: true, subtree: true });
    }
    const search = document.querySelector(".md-search[role=dialog]");
    if (search && !search.hasAttribute("aria-label")) search.setAttribute("aria-label", search.querySelector("input").placeholder);
  }

  addEventListener("keydown", switchBySpace);
  addEventListener("resize", reachScrollers);
  if (window.document$) window.document$.subscribe(init);
  else document.addEventListener("DOMContentLoaded", init);
})();
