// Asks for a key, fetches the data with it, filters, and asks for runs and plans. The key is in sessionStorage and in
// the header x-functions-key, nowhere else. HTML comes from our own server, which has escaped everything in it; what is
// made of JSON here is text.
"use strict";
(() => {
  const KEY = "dashboard-key", EVERY = 15000, SOON = 1500, PATIENCE = 60000;
  const at = (id) => document.getElementById(id);
  const { base, ticket } = document.body.dataset;
  const byKey = ticket === "key";
  let etag = "", run = "", shown = "", awaiting = null, asking = 0, timer = 0;

  const key = () => sessionStorage.getItem(KEY) || "";
  const named = () => new URLSearchParams(location.hash.slice(1)).get("cluster") || "";

  // What is said until the next good answer is no longer true after it; the rest stays until something else is said.
  function say(text, bad = false, passing = false) {
    const notice = at("notice");
    notice.dataset.passing = passing ? "yes" : "";
    if (notice.textContent !== text) notice.textContent = text;
    notice.classList.toggle("bad", bad);
  }

  function call(method, path, query, headers = {}) {
    const given = key() ? { ...headers, "x-functions-key": key() } : headers;
    const parameters = new URLSearchParams(query).toString();
    const address = `${base}/${path}${parameters ? "?" + parameters : ""}`;
    return fetch(address, { method, headers: given, cache: "no-store", redirect: "error", credentials: byKey ? "omit" : "same-origin" });
  }

  async function told(answer) {
    try {
      return (await answer.json()).error || {};
    } catch {
      return {};
    }
  }

  // The data

  async function load() {
    clearTimeout(timer);
    if (byKey && !key()) return ask("");
    const mine = ++asking, cluster = named();
    let answer, body = null;
    try {
      answer = await call("GET", "dashboard/data", cluster ? { cluster } : {}, etag && cluster === shown ? { "If-None-Match": etag } : {});
      if (answer.status === 200) body = await answer.json();
    } catch {
      if (mine !== asking) return;
      say("The functions cannot be reached. It is tried again.", true, true);
      return again();
    }
    if (mine !== asking) return; // another question has been asked since
    if (body) {
      etag = answer.headers.get("ETag") || "";
      show(body);
    } else if (answer.status !== 304) {
      await failed(answer);
      if (answer.status === 404 && cluster) { // an old bookmark: the others are shown
        history.replaceState(null, "", location.pathname + location.search);
        return load();
      }
      return answer.status === 401 || answer.status === 403 ? undefined : again();
    }
    if (at("notice").dataset.passing) say("");
    at("checked").textContent = `Looked at ${new Date().toLocaleTimeString()}`;
    arrived();
    again();
  }

  function again() {
    clearTimeout(timer);
    if (awaiting) timer = setTimeout(load, SOON);
    else if (at("live").checked && !document.hidden) timer = setTimeout(load, EVERY);
  }

  async function failed(answer) {
    const error = await told(answer);
    if (error.code === "SignIn") return say("You are not signed in. Reload the page to sign in.", true);
    if (answer.status === 401 || answer.status === 403) return ask("This key was not accepted.");
    say(error.message || `The functions answered with ${answer.status}.`, true, answer.status !== 404);
  }

  function show(body) {
    const kept = remember(), entered = at("ask").contains(document.activeElement);
    at("ask").hidden = true;
    at("tools").hidden = at("filter").hidden = false;
    at("forget").hidden = !byKey;
    at("overview").innerHTML = body.overview;
    at("detail").innerHTML = body.detail;
    if (body.cluster !== shown && !at("fresh").hidden) at("fresh").hidden = true;
    [run, shown] = [body.run, body.cluster];
    // From now on it is named: no refresh goes to a more urgent one under a reader's eyes.
    if (shown && !named()) history.replaceState(null, "", `#cluster=${encodeURIComponent(shown)}`);
    document.title = body.cluster ? `${body.cluster} · Private Link Services` : "Private Link Services";
    filter();
    ages();
    if (entered) at("overview").focus({ preventScroll: true });
    else kept();
  }

  // Who is on a button of what is replaced stays on it.
  function remember() {
    const active = document.activeElement;
    const known = active && active.closest("#overview, #detail") ? active : null;
    const cluster = known && known.dataset.cluster, id = known && known.id;
    return () => {
      if (id) at(id)?.focus({ preventScroll: true });
      else if (cluster) at("overview").querySelector(`[data-cluster="${CSS.escape(cluster)}"]`)?.focus({ preventScroll: true });
    };
  }

  function ask(text) {
    etag = shown = "";
    awaiting = null;
    clearTimeout(timer);
    sessionStorage.removeItem(KEY);
    for (const id of ["overview", "detail", "fresh"]) at(id).replaceChildren();
    at("tools").hidden = at("filter").hidden = at("fresh").hidden = true;
    at("ask").hidden = false;
    say(text, true);
    at("key").focus();
  }

  // The filter

  function filter() {
    const words = at("words").value.toLowerCase().split(/\s+/).filter(Boolean), group = at("group").value;
    let total = 0, found = 0;
    for (const row of at("detail").querySelectorAll(".row")) {
      row.words ??= row.textContent.toLowerCase();
      const fits = words.every((word) => row.words.includes(word)) && (!group || row.dataset.group.split(" ").includes(group));
      row.hidden = !fits;
      if (row.classList.contains("front")) {
        total += 1;
        found += fits ? 1 : 0;
      }
    }
    for (const balancer of at("detail").querySelectorAll(".balancer")) balancer.hidden = !balancer.querySelector(".row:not([hidden])");
    const text = words.length || group ? `${found} of ${total} frontends` : `${total} frontends`;
    if (at("found").textContent !== text) at("found").textContent = text;
  }

  function ages() {
    for (const place of document.querySelectorAll("[data-since]")) {
      const seconds = Math.max(0, Math.round((Date.now() - Date.parse(place.dataset.since)) / 1000));
      const [size, word] = seconds < 90 ? [1, "s"] : seconds < 5400 ? [60, "min"] : seconds < 172800 ? [3600, "h"] : [86400, "days"];
      place.textContent = ` (${Math.round(seconds / size)} ${word} ago)`;
    }
  }

  // What is asked of the functions

  // Not disabled: that would take the focus from whoever pressed it.
  const busy = (button, yes) => button.setAttribute("aria-disabled", String(yes));

  async function resync(button) {
    const { cluster } = button.dataset, before = run;
    busy(button, true);
    try {
      const answer = await call("POST", "resync", { cluster });
      if (answer.status === 202) {
        awaiting = { cluster, before, until: Date.now() + PATIENCE };
        say(`A run of ${cluster} is asked for …`);
        timer = setTimeout(load, SOON);
      } else await refused(answer);
    } catch {
      say("The functions cannot be reached. Nothing was asked for.", true);
    } finally {
      busy(button, false);
    }
  }

  function arrived() {
    if (!awaiting) return;
    if (shown !== awaiting.cluster) say(""); // the run of what is shown now tells nothing about that one
    else if (run !== awaiting.before) say(`The run of ${awaiting.cluster} is done.`);
    else if (Date.now() > awaiting.until) say(`The run of ${awaiting.cluster} has not ended yet.`, true);
    else return;
    awaiting = null;
  }

  async function refused(answer) {
    const error = await told(answer);
    if (answer.status === 401 || answer.status === 403) {
      if (byKey) return say("This key opens the data and nothing else. For this, a host key is needed.", true);
      at("ask").hidden = false;
      at("key").focus();
      return say("You may look as you are signed in; to act, a function key is needed.", true);
    }
    say(error.message || `The functions answered with ${answer.status}.`, true);
  }

  async function plan(button) {
    const { cluster } = button.dataset;
    busy(button, true);
    say(`Looking at ${cluster} …`);
    try {
      const answer = await call("GET", "plan", { cluster });
      if (answer.status !== 200) return await refused(answer);
      const { plans } = await answer.json();
      showPlan(cluster, plans[0]);
      say("");
    } catch {
      say("The functions cannot be reached, or the look took too long.", true);
    } finally {
      busy(button, false);
    }
  }

  const hidden = /(?![\t\n\r])[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;
  const visible = (text) => String(text ?? "").replace(hidden, (c) => `⟨U+${c.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}⟩`);
  const value = (v) => (Array.isArray(v) ? v.join(", ") || "(none)" : v === null || v === "" ? "(none)" : String(v));

  function make(tag, text, name, ...children) {
    const element = document.createElement(tag);
    if (text) element.textContent = visible(text);
    if (name) element.className = name;
    element.append(...children);
    return element;
  }

  function showPlan(cluster, found) {
    const lists = [["writes", ""], ["after", "in a later run"], ["held", "held back"]];
    const items = lists.flatMap(([name, note]) => (found[name] || []).slice(0, 500).map((write) => writeItem(write, note)));
    const findings = (found.findings || []).slice(0, 500).map((f) =>
      make("li", "", f.severity === "error" ? "bad" : f.severity === "warning" ? "warn" : "", make("span", f.service, "about"), " ", make("code", f.reason, "reason"), " ", make("span", f.sentence, "text")));
    const close = make("button", "Close");
    close.type = "button";
    close.addEventListener("click", () => { at("fresh").hidden = true; at("plan-now")?.focus(); });
    const calm = found.unread ? "Left untouched, because it could not be read." : "Nothing to write.";
    at("fresh").replaceChildren(make("div", "", "part",
      make("div", "", "head", make("h3", `Plan of ${cluster}, as of ${new Date().toLocaleTimeString()}`), close),
      items.length ? make("ul", "", "lines writes", ...items) : make("p", calm, "quiet"),
      ...(findings.length ? [make("h3", "Findings"), make("ul", "", "lines", ...findings)] : [])));
    at("fresh").hidden = false;
    at("fresh").focus();
  }

  function writeItem(write, note) {
    const item = make("li", "", "", make("code", write.verb, `verb ${String(write.verb).replaceAll(/[^a-z]/g, "")}`), " ", make("span", write.sentence, "text"), " ", make("span", note ? `${write.reason} · ${note}` : write.reason, "quiet"));
    if (write.changes?.length) {
      const heads = ["Property", "Before", "After"].map((text) => { const th = make("th", text); th.scope = "col"; return th; });
      const rows = write.changes.map((c) => {
        const head = make("th", c.property);
        head.scope = "row";
        return make("tr", "", "", head, make("td", value(c.before)), make("td", value(c.after)));
      });
      item.append(make("table", "", "", make("thead", "", "", make("tr", "", "", ...heads)), make("tbody", "", "", ...rows)));
    }
    return item;
  }

  // Wiring

  at("ask").addEventListener("submit", (event) => {
    event.preventDefault();
    const typed = at("key").value.trim();
    at("key").value = "";
    if (!/^[!-~]+$/.test(typed)) return say("This is no key: one has letters, digits and signs of ASCII only.", true); // no header takes it
    sessionStorage.setItem(KEY, typed);
    say("Fetching …", false, true);
    load();
  });
  at("forget").addEventListener("click", () => ask(""));
  at("filter").addEventListener("submit", (event) => event.preventDefault());
  let soon = 0;
  at("words").addEventListener("input", () => { clearTimeout(soon); soon = setTimeout(filter, 80); });
  at("group").addEventListener("change", filter);
  at("live").addEventListener("change", again);
  at("detail").addEventListener("click", (event) => {
    const button = event.target.closest("button:not([aria-disabled=true])");
    if (button?.id === "resync") resync(button);
    if (button?.id === "plan-now") plan(button);
  });
  document.querySelector(".skip").addEventListener("click", (event) => { // its fragment is no cluster
    event.preventDefault();
    at("detail").focus();
  });
  addEventListener("hashchange", load);
  document.addEventListener("visibilitychange", () => { if (!document.hidden && (key() || !byKey)) load(); });
  setInterval(ages, EVERY);
  load();
})();
