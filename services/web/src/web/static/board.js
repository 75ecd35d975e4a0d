// What only this visitor sees on a board that is the same for everyone.
(() => {
  const standings = document.getElementById("standings");
  const live = document.getElementById("live");
  const said = document.getElementById("said");
  const SPEAK_EVERY_MS = 10_000;
  let spokeAt = 0;

  const myRow = () => standings.dataset.me && document.getElementById(standings.dataset.me);
  const placeOf = (row) => (row ? Number(row.cells[0].textContent) : 0);
  let place = placeOf(myRow());

  const mark = () => {
    const row = myRow();
    if (!row) return;
    row.classList.add("me");
    row.setAttribute("aria-current", "true");
    const now = placeOf(row);
    if (now === place || Date.now() - spokeAt < SPEAK_EVERY_MS) return;
    const words = place && now < place ? said.dataset.up : said.dataset.down;
    said.textContent = words.replace("{place}", now);
    place = now;
    spokeAt = Date.now();
  };

  document.addEventListener("htmx:after:swap", mark);
  document.addEventListener("htmx:sse:after:connection", () => { live.hidden = false; });
  document.addEventListener("htmx:sse:error", () => { live.hidden = true; });
})();
