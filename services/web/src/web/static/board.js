// Marks the visitor's own row after every update of the shared board, and announces its new place.
(() => {
  const standings = document.getElementById("standings");
  if (!standings) return;
  const announcement = document.getElementById("said");
  const ANNOUNCEMENT_INTERVAL_MS = 10_000;
  let announcedAt = 0;

  const ownRow = () => standings.dataset.me && document.getElementById(standings.dataset.me);
  const mine = document.getElementById("mine");
  const REFRESH_INTERVAL_MS = 10_000;
  const REFRESH_SPREAD_MS = 5_000; // so that a thousand open pages do not ask at once
  let refreshing = false;

  // The own row is on another page: the line that says where is asked for now and then.
  const refreshMine = () => {
    if (!mine || refreshing || !mine.hasAttribute("hx-get")) return;
    refreshing = true;
    setTimeout(() => { htmx.trigger(mine, "board-moved"); }, Math.random() * REFRESH_SPREAD_MS);
    setTimeout(() => { refreshing = false; }, REFRESH_INTERVAL_MS);
  };

  const placeOf = (row) => (row ? parseInt(row.cells[0].textContent, 10) : 0);
  let place = placeOf(ownRow());

  const markOwnRow = () => {
    const row = ownRow();
    if (!row) return refreshMine();
    row.classList.add("me");
    row.setAttribute("aria-current", "true");
    const newPlace = placeOf(row);
    const shown = mine && mine.querySelector("b");
    if (shown) shown.textContent = newPlace;
    if (newPlace === place || Date.now() - announcedAt < ANNOUNCEMENT_INTERVAL_MS) return;
    const text = place && newPlace < place ? announcement.dataset.up : announcement.dataset.down;
    announcement.textContent = text.replace("{place}", newPlace);
    place = newPlace;
    announcedAt = Date.now();
  };

  document.addEventListener("htmx:after:swap", (event) => { if (event.target === standings) markOwnRow(); });
  document.addEventListener("keydown", (event) => {
    const isTyping = event.target.closest("input, textarea, select, [contenteditable]");
    if (event.key !== "m" || isTyping || event.ctrlKey || event.metaKey || event.altKey) return;
    if (!("keys" in standings.dataset)) return;
    const link = mine && mine.querySelector("a");
    if (link) link.click();
  });
})();
