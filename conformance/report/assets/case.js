"use strict";
/* A case's page: everything that is known of it, on every lane. */
document.addEventListener("DOMContentLoaded", () => {
  const site = window.conformance, { element, store } = site;
  const title = document.getElementById("title"), status = document.getElementById("status");
  const place = document.getElementById("case");

  const listed = (values) => Object.entries(values).map(([name, value]) => `${name} ${Array.isArray(value) ? `(${value.join(", ")})` : value}`).join(", ");
  const fact = (name, ...value) => element("div", {}, element("dt", {}, name), element("dd", {}, ...value));
  const code = (text) => element("code", {}, text);

  function geometry(text) {
    const problems = new site.Problems(1);
    problems.read(0, text);
    const axes = [...Array(problems.rank[0]).keys()];
    const value = (name) => axes.map((axis) => site.field(name).value(problems, 0, axis)).join(" x ");
    const window = axes.map((axis) => `(${site.field("lo").value(problems, 0, axis)}, ${site.field("hi").value(problems, 0, axis)})`).join(" x ");
    return element("dl", { class: "facts" }, fact("Problem", code(text)),
      fact("Input, kernel", `${value("input")}, ${value("kernel")}`),
      fact("Stride, dilation", `${value("stride")}, ${value("dilation")}`),
      fact("Window", `${window} cut from ${value("full")}, which leaves ${value("output")}`),
      fact("Groups, channels", `${problems.groups[0]} of ${problems.in_channels[0]} in and ${problems.out_channels[0]} out, batch ${problems.batch[0]}${problems.bias[0] ? ", bias" : ""}`));
  }

  /* What a record was before: a line for each run from which on it was another, the last first. */
  function history(record) {
    const kept = (store.manifest.kept || {})[`${record.lane} ${record.suite}`];
    const day = (started) => started.slice(0, 16).replace("T", " ");
    if (!kept) return null;
    if (!record.past) return fact("History", `the same in all ${kept[1]} runs since ${day(kept[0])}`);
    const lines = record.past.map(([started, version, verdict, message, flaky]) => element("li", {},
      `from ${day(started)}, ${version || "version not recorded"}: `, verdict === "absent" ? "not run" : site.tag(verdict),
      ` ${message}${flaky ? " (flaky: the build is the same)" : ""}`));
    return fact("History", element("ol", { class: "past" }, ...lines.reverse()));
  }

  function section(record, number) {
    const facts = [
      record.kind && fact("Kind", record.kind),
      record.message && fact("Message", record.message),
      record.call && fact("Call", code(record.call)),
      record.idiom && fact("Claim", `${record.idiom}: ${record.claimed}`),
      record.composed && fact("Assisted by", record.composed),
      record.deviation && fact("Deviation", listed(record.deviation)),
      record.rounding && record.rounding.rho !== undefined && fact("Rounded", `by up to ${record.rounding.rho} u (|x|*|w| + |bias|), ${(record.rounding.share * 100).toFixed(1)} % of what any order of summing ${record.rounding.terms} terms can err by`),
      record.certificate && !record.rounding && fact("Exact because", `no partial sum of ${record.certificate.terms} term${record.certificate.terms === 1 ? "" : "s"} exceeds ${record.certificate.largest}, at most 2^${record.certificate.bits}`),
      (record.expected || record.actual) && fact("Fingerprints", record.actual === record.expected ? code(record.actual)
        : element("span", {}, "actual ", code(record.actual || "none"), ", expected ", code(record.expected || "none"))),
      record.seconds && fact("Native call", `${(record.seconds * 1000).toFixed(3)} ms`),
      record.fault && fact("Fault", element("a", { href: record.fault }, record.known ? `known: ${record.known}` : "new")),
      history(record),
    ].filter(Boolean);
    const pre = element("div", { class: "snippet" }, element("pre", { class: "command", tabindex: "0" }, code(record.command)));
    const heading = element("h2", { id: `r${number}` }, `${record.lane}, ${record.dtype} `, site.tag(record.verdict));
    const right = record.verdict === (record.claimed || "conforms") && !record.past;
    const all = element("dl", { class: "facts" }, ...facts);
    const made = element("section", { "aria-labelledby": `r${number}`, class: "lane" }, heading,
      ...(right ? [element("details", {}, element("summary", {}, "Evidence, and the command"), all, pre)] : [all, pre]));
    if (site.addCopyButtons) site.addCopyButtons(made);
    return made;
  }

  async function run() {
    const id = site.hash();
    place.replaceChildren();
    title.textContent = id || "Case";
    document.title = `${id || "Case"} \u00b7 conformance`;
    if (!id) { status.textContent = "No case is named. Look for one with the search."; return; }
    try {
      const records = await site.everythingOf(id);
      if (!records.length) { status.textContent = `No record has the case ${id}. Look for it with the search.`; return; }
      const suites = [...new Set(records.map((record) => record.suite))].join(", ");
      status.textContent = `${records.length} record${records.length > 1 ? "s" : ""}, in ${suites}.`;
      const rank = (record) => `${record.verdict === (record.claimed || "conforms") ? 1 : 0} ${record.lane} ${record.dtype}`;
      records.sort((a, b) => (rank(a) < rank(b) ? -1 : 1));
      for (const problem of new Set(records.map((record) => record.problem))) place.append(geometry(problem));
      place.append(...records.map(section));
    } catch (error) {
      status.textContent = error.message;
    }
  }
  if (!store.manifest) { status.textContent = "data/manifest.js cannot be read: build the report again"; return; }
  window.addEventListener("hashchange", run);
  run();
});
