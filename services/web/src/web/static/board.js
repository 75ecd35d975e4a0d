// Marks the visitor's own row after every update of the shared board, and announces its new place.
(() => {
  const standings = document.getElementById("standings");
  if (!standings) return;
  const state = document.querySelector("#live .state");
  const announcement = document.getElementById("said");
  const ANNOUNCEMENT_INTERVAL_MS = 10_000;
  let announcedAt = 0;

  const ownRow = () => standings.dataset.me && document.getElementById(standings.dataset.me);
  const placeOf = (row) => (row ? parseInt(row.cells[0].textContent, 10) : 0);
  let place = placeOf(ownRow());

  const markOwnRow = () => {
    const row = ownRow();
    if (!row) return;
    row.classList.add("me");
    row.setAttribute("aria-current", "true");
    const newPlace = placeOf(row);
    if (newPlace === place || Date.now() - announcedAt < ANNOUNCEMENT_INTERVAL_MS) return;
    const text = place && newPlace < place ? announcement.dataset.up : announcement.dataset.down;
    announcement.textContent = text.replace("{place}", newPlace);
    place = newPlace;
    announcedAt = Date.now();
  };

  document.addEventListener("htmx:after:swap", markOwnRow);
  document.addEventListener("htmx:sse:after:connection", () => { state.hidden = false; });
  document.addEventListener("htmx:sse:error", () => { state.hidden = true; });
})();
