"use strict";
/* What every page has: a button beside each snippet that copies it. */
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
})(window.conformance);
