
"use strict";
(() => {
  const EVERY = 1000, GIVE_UP = 4000;
  const byId = (id) => document.getElementById(id);
  const say = (id, text) => {
    const place = byId(id);
    // A screen reader reads out what is written, also when it is the same again.
    if (place.textContent !== text) place.textContent = text;
  };
  const STATES = {
    idle: ["Idle", "Nobody is before the gate.", "idle"],
    looking: ["Looking", "Somebody is there who is not judged yet.", "looking"],
    pass: ["Pass", "Everyone there wears a mask.", "pass"],
    alarm: ["Alarm", "Somebody there wears no mask, or wears it wrong.", "alarm"],
    camera_fault: ["Camera fault", "The gate cannot see.", "fault"],
    software_fault: ["Software fault", "The program is stuck or cannot go on.", "fault"],
    shutdown: ["Shutting down", "The gate is being stopped or set up anew.", "unknown"],
    crash: ["Crash", "The program has ended unexpectedly.", "fault"],
  };
  const VERDICTS = { mask: "mask", no_mask: "no mask", incorrect: "mask worn wrong" };

  const lasting = (seconds) => {
    if (seconds < 60) return `${Math.floor(seconds)} s`;
    if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
    if (seconds < 86400) return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
    return `${Math.floor(seconds / 86400)} d ${Math.floor((seconds % 86400) / 3600)} h`;
  };
  const ago = (seconds) => (seconds === null ? "none yet" : seconds < 1 ? "now" : `${lasting(seconds)} ago`);

  const card = (kind, word, sentence, since) => {
    byId("state").className = `state ${kind}`;
    say("word", word);
    say("sentence", sentence);
    // Each second it is another, which nobody wants read out.
    byId("since").setAttribute("aria-hidden", "true");
    say("since", since);
  };

  const show = (now) => {
    say("title", now.title);
    let [word, sentence, kind] = STATES[now.state] || ["Starting", "The gate waits for its first picture.", "unknown"];
    if (now.trouble && now.state !== null) {
      const why = now.trouble.replace(/^camera fault, /, "");
      sentence = why.charAt(0).toUpperCase() + why.slice(1) + ".";
      sentence = sentence.replace(/\.\.$/, ".");
      if (!["fault", "unknown"].includes(kind)) [word, kind] = ["Not responding", "fault"];
    }
    card(kind, word, sentence, `for ${lasting(now.state_seconds)}${now.muted ? ", muted: quiet hours" : ""}`);
    document.title = `${word} · ${now.title}`;
    for (const place of document.querySelectorAll("[data-people]")) place.textContent = now.people[place.dataset.people];
    for (const place of document.querySelectorAll("[data-today]")) place.textContent = now.today[place.dataset.today];
    for (const place of document.querySelectorAll("[data-bar]")) place.style.flexGrow = now.today[place.dataset.bar];
    say("day", now.today.date);
    say("newest", now.newest === null ? "Nobody was judged since the start." :
      `Newest verdict: ${VERDICTS[now.newest.verdict]}` +
      (now.newest.confidence === null ? "" : `, ${Math.floor(now.newest.confidence * 100)} % sure`) +
      `, at ${now.newest.at.slice(11, 19)}.`);
    say("rate", now.frames_per_second === null ? "–" : now.frames_per_second.toFixed(1));
    say("age", ago(now.frame_age_seconds));
    say("loop", now.loop_age_seconds < 1 ? "turning" : `last turned ${ago(now.loop_age_seconds)}`);
    say("uptime", lasting(now.uptime_seconds));
    say("detector", now.models.detector || "–");
    say("classifier", now.models.classifier || "–");
    say("version", `maskgate ${now.version}`);
    byId("logout").hidden = !now.token;
    byId("preview").hidden = !now.preview.on;
    byId("columns").classList.toggle("seeing", now.preview.on);
    // The gate draws no faster than that; who asks more seldom than every two seconds watches no more.
    if (now.preview.on) between = Math.min(1000, 1000 / now.preview.fps);
    say("watched", now.preview.watched ? "watched now" : "");
    say("hides", now.preview.hides_faces ? "Faces that were found are hidden." : "Faces are shown.");
  };

  let last = Date.now();
  const ask = async () => {
    // A page nobody looks at asks for nothing.
    if (!document.hidden) {
      try {
        const answer = await fetch("/state.json", { cache: "no-store", signal: AbortSignal.timeout(GIVE_UP) });
        if (answer.status === 401) { location.reload(); return; }
        if (!answer.ok) throw new Error(answer.status);
        show(await answer.json());
        last = Date.now();
        byId("live").className = "live on";
        say("live", "live");
        document.body.classList.remove("old");
      } catch {
        const away = Date.now() - last;
        byId("live").className = "live off";
        say("live", "no answer");
        if (away > GIVE_UP) {
          // An old "pass" is never shown as a present one.
          card("unknown", "No answer", "The gate, or the way to it, is down; what is below is old.", `for ${lasting(away / 1000)}`);
          document.title = "No answer · Mask gate";
          document.body.classList.add("old");
        }
      }
    }
    setTimeout(ask, EVERY);
  };

  const picture = byId("picture"), watch = byId("watch");
  let watching = false, address = "", between = 500;
  const look = async () => {
    if (!watching) return;
    if (document.hidden) { stop("Nobody watches: this page was out of sight."); return; }
    let pause = between;
    try {
      const answer = await fetch("/preview.jpg", { cache: "no-store", signal: AbortSignal.timeout(GIVE_UP) });
      if (!watching) return;
      if (answer.ok) {
        const old = address;
        address = URL.createObjectURL(await answer.blob());
        picture.src = address;
        picture.hidden = false;
        byId("nothing").hidden = true;
        if (old) URL.revokeObjectURL(old);
      } else {
        blank((await answer.text()).trim());
        pause = 1000;
      }
    } catch {
      blank("no answer");
      pause = 1000;
    }
    setTimeout(look, pause);
  };
  const blank = (text) => {
    picture.hidden = true;
    picture.removeAttribute("src");
    if (address) URL.revokeObjectURL(address);
    address = "";
    byId("nothing").hidden = false;
    say("nothing", text);
  };
  const stop = (text) => {
    watching = false;
    watch.textContent = "Watch";
    blank(text);
  };
  watch.addEventListener("click", () => {
    if (watching) { stop("Nobody watches."); return; }
    watching = true;
    watch.textContent = "Stop watching";
    say("nothing", "Waiting for a picture.");
    look();
  });
  document.addEventListener("visibilitychange", () => { if (document.hidden && watching) stop("Nobody watches: this page was out of sight."); });
  ask();
})();
