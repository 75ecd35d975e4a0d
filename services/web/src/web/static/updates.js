// Says whether a page updates itself, and guards those that ask for their own content when they are told to.
(() => {
  const state = document.querySelector("#live .state");
  document.addEventListener("htmx:sse:after:connection", () => { if (state) state.hidden = false; });
  document.addEventListener("htmx:sse:error", () => { if (state) state.hidden = true; });

  const changing = document.getElementById("changing");
  if (!changing) return;
  const RETRY_MS = 5_000; // and up to as much again, so that a thousand pages do not ask at once
  let retry = 0;
  let acts = 0; // beginnings and ends of what the visitor did here
  const isAct = (ctx) => ctx.request.method !== "GET";
  const ask = () => { htmx.trigger(changing, "challenge-changed"); };

  const askAgain = () => {
    clearTimeout(retry);
    retry = setTimeout(() => {
      if (document.hidden) document.addEventListener("visibilitychange", ask, { once: true });
      else ask();
    }, RETRY_MS * (1 + Math.random()));
  };

  document.addEventListener("htmx:before:request", (event) => {
    const { ctx } = event.detail;
    if (isAct(ctx)) acts += 1;
    ctx.acts = acts;
  });
  document.addEventListener("htmx:after:request", (event) => {
    const { ctx } = event.detail;
    if (isAct(ctx)) acts += 1;
    if (ctx.sourceElement !== changing) return;
    const { raw, status } = ctx.response;
    if (raw.redirected || status === 403 || status === 404) {
      event.preventDefault();
      location.reload(); // it is not to be seen any more: what there is instead is a page of its own
    } else if (status >= 500) {
      askAgain();
    } else if (ctx.acts !== acts) {
      event.preventDefault(); // it may be from before what the visitor did meanwhile
      ask();
    }
  });
  document.addEventListener("htmx:error", (event) => {
    if (event.detail.ctx && event.detail.ctx.sourceElement === changing) askAgain();
  });
})();
