// Two things need a script: the slider, which chooses what is seen of choices
// that are all in the page, and the search, which reads the plan's JSON.
"use strict";

document.documentElement.classList.add("script");

// The slider of one tier. Articles are the choices, dots their places in the curves.
function makeSlider(box) {
  const articles = [...box.querySelectorAll("article.choice")];
  const planned = articles.find((a) => "chosen" in a.dataset);
  const range = box.querySelector("input[type=range]");
  const back = box.querySelector("button");
  let shown = [];

  function show(article) {
    const { kind, partitions } = article.dataset;
    shown = articles.filter((a) => a.dataset.kind === kind);
    range.max = shown.length - 1;
    range.value = shown.indexOf(article);
    range.disabled = shown.length === 1;
    range.setAttribute("aria-valuetext", partitions + " partitions");
    box.querySelector(".slider output").textContent = Number(partitions).toLocaleString("en");
    box.querySelector(`input[type=radio][value="${kind}"]`).checked = true;
    back.disabled = article === planned;
    for (const a of articles) a.hidden = a !== article;
    for (const svg of box.querySelectorAll("svg")) mark(svg, kind, partitions);
  }

  function mark(svg, kind, partitions) {
    const guide = svg.querySelector(".guide");
    guide.classList.remove("on");
    for (const dot of svg.querySelectorAll(".dot")) {
      const on = dot.dataset.kind === kind && dot.dataset.partitions === partitions;
      dot.classList.toggle("on", on);
      if (!on) continue;
      guide.classList.add("on");
      guide.setAttribute("x1", dot.getAttribute("cx"));
      guide.setAttribute("x2", dot.getAttribute("cx"));
    }
  }

  // The choice of a kind whose number of partitions is nearest to another's.
  function nearest(kind, partitions) {
    const distance = (a) => Math.abs(a.dataset.partitions - partitions);
    return articles.filter((a) => a.dataset.kind === kind).reduce((best, a) => (distance(a) < distance(best) ? a : best));
  }

  range.addEventListener("input", () => show(shown[range.value]));
  back.addEventListener("click", () => show(planned));
  box.querySelector("fieldset").addEventListener("change", (e) => {
    show(nearest(e.target.value, shown[range.value].dataset.partitions));
  });
  box.addEventListener("click", (e) => {
    if (e.target.classList.contains("dot")) show(nearest(e.target.dataset.kind, e.target.dataset.partitions));
  });
  show(planned);
}

const mostRows = 200; // a longer list is not read, but searched

function makeSearch(input) {
  const tags = JSON.parse(document.getElementById("plan").textContent).changes.tags;
  const kinds = { "+": "added", "-": "removed", "~": "changed" };
  const partition = (id) => String(id).padStart(4, "0");

  function what(t) {
    if (t.kind === "+") return "to " + partition(t.to);
    if (t.kind === "-") return "from " + partition(t.from);
    const parts = [];
    if (t.from !== t.to) parts.push(partition(t.from) + " to " + partition(t.to));
    if (t.was) parts.push("was " + t.was);
    if (t.edited) parts.push("edited in " + partition(t.to));
    return parts.join(", ");
  }

  // What nobody would see, or what turns a text around, is shown escaped.
  function visible(text) {
    return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (c) => "\\u" + c.codePointAt(0).toString(16).padStart(4, "0"));
  }

  function row(t) {
    const tr = document.createElement("tr");
    const sign = tr.insertCell();
    sign.textContent = t.kind;
    sign.className = kinds[t.kind];
    for (const text of [t.tag, t.site, what(t)]) {
      // Names may be written from right to left: each keeps to itself.
      tr.insertCell().appendChild(document.createElement("bdi")).textContent = visible(text);
    }
    return tr;
  }

  function list() {
    const wanted = input.value.trim().toLowerCase();
    const has = (text) => text !== undefined && text.toLowerCase().includes(wanted);
    const found = tags.filter((t) => has(t.tag) || has(t.was) || has(t.site));
    document.getElementById("tags").replaceChildren(...found.slice(0, mostRows).map(row));
    const count = (n) => n.toLocaleString("en");
    let text = count(found.length) + " of " + count(tags.length) + " tags";
    if (found.length > mostRows) text += ", the first " + mostRows + " are shown";
    document.getElementById("found").textContent = text;
  }

  input.addEventListener("input", list);
  list();
}

for (const box of document.querySelectorAll(".choices")) makeSlider(box);
const search = document.getElementById("search");
if (search) makeSearch(search);
