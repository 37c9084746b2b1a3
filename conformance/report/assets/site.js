"use strict";
/* What every page has: a button beside each snippet that copies it, and a key, /, that leads to the search. */
window.conformance = window.conformance || {};
(function (site) {
  async function copy(text) {
    try {
      await navigator.clipboard.writeText(text);
    } catch {  // where the page is no secure context, as over plain HTTP
      const area = document.createElement("textarea");
      area.value = text;
      document.body.append(area);
      area.select();
      document.execCommand("copy");
      area.remove();
    }
  }

  site.addCopyButtons = (root) => {
    for (const snippet of root.querySelectorAll(".snippet")) {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "copy";
      button.textContent = "Copy";
      button.addEventListener("click", async () => {
        await copy(snippet.querySelector("code").textContent);
        button.textContent = "Copied";
        setTimeout(() => { button.textContent = "Copy"; }, 2000);
      });
      snippet.append(button);
    }
  };

  document.addEventListener("DOMContentLoaded", () => site.addCopyButtons(document));

  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest("input, textarea, select");
    if (event.key !== "/" || typing || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    const input = document.getElementById("query");
    if (input) input.focus();
    else document.querySelector('nav a[href$="search.html"]')?.click();
  });
})(window.conformance);
