// What the pages can do without, and are a little better with. Every page works when this never arrives.

/** A button at each password field that shows what was typed. */
for (const field of document.querySelectorAll("[data-password]")) {
  const input = field.querySelector("input");
  const label = field.querySelector("label").textContent.trim();
  const button = document.createElement("button");
  button.type = "button";
  button.className = "reveal";

  const show = (shown) => {
    // Browsers move the caret when the type changes.
    const { selectionStart, selectionEnd } = input;
    input.type = shown ? "text" : "password";
    input.setSelectionRange(selectionStart, selectionEnd);
    button.textContent = shown ? "Hide" : "Show";
    button.setAttribute("aria-label", `${button.textContent} ${label.toLowerCase()}`);
  };

  // A pressed button would take the focus, and a phone would put its keyboard away.
  button.addEventListener("mousedown", (event) => event.preventDefault());
  button.addEventListener("click", () => show(input.type === "password"));
  // A browser remembers what stands in text fields, and keeps pages as they were left.
  input.form.addEventListener("submit", () => show(false));
  addEventListener("pagehide", () => show(false));

  show(false);
  input.after(button);
}

/** The server's verdict on a new password, below its field, while it is typed. */
for (const field of document.querySelectorAll("[data-strength]")) {
  const words = ["Very weak", "Weak", "Fair", "Good", "Strong"];
  const input = field.querySelector("input");
  const meter = document.createElement("div");
  const bar = document.createElement("span");
  const text = document.createElement("p");
  meter.className = "strength";
  bar.hidden = true;
  text.setAttribute("role", "status");
  meter.append(bar, text);

  let timer;
  let asking = new AbortController();

  const tell = ({ score, accepted, reasons }) => {
    bar.hidden = false;
    bar.style.setProperty("--filled", `${Math.max(5, score * 25)}%`);
    meter.classList.toggle("accepted", accepted);
    text.textContent = accepted ? `${words[score]} password.` : reasons.map(({ message }) => message).join(" ");
    // It grows, but never shrinks: the button below does not run from the pointer.
    meter.style.minHeight = `${meter.offsetHeight}px`;
  };

  const clear = () => {
    bar.hidden = true;
    text.textContent = "";
  };

  const ask = async () => {
    asking = new AbortController();
    // Whose it will be: typed into the same form, or known to the page.
    const whose = (name) => input.form.elements[name]?.value || field.dataset[name];
    const question = { password: input.value, email: whose("email"), username: whose("username") };
    try {
      const answer = await fetch("/api/auth/password-strength", {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify(question),
        signal: asking.signal,
      });
      if (answer.ok) tell(await answer.json());
      // Asked too often, or the server has no time: what was said of another password must not stand beside this one.
      else clear();
    } catch {
      // Nobody asked for a meter: one that fails is no news. The form will tell.
    }
  };

  input.addEventListener("input", () => {
    clearTimeout(timer);
    asking.abort();
    if (input.value) {
      timer = setTimeout(ask, 300);
    } else {
      clear();
    }
  });

  field.append(meter);
}

/** "3 minutes ago" for a time; the time itself on demand. */
const times = [...document.querySelectorAll("time[datetime]:not([data-exact])")];
const words = new Intl.RelativeTimeFormat(document.documentElement.lang, { numeric: "auto" });
const units = [["year", 31556952], ["month", 2629746], ["week", 604800], ["day", 86400], ["hour", 3600], ["minute", 60]];

const relative = (date) => {
  const seconds = (date - Date.now()) / 1000;
  const [unit, length] = units.find(([, length]) => Math.abs(seconds) >= length) ?? ["second", Infinity];
  return words.format(Math.trunc(seconds / length) || 0, unit);
};

const refresh = () => {
  for (const time of times) {
    const date = Date.parse(time.dateTime);
    if (!Number.isNaN(date)) time.textContent = relative(date);
  }
};

for (const time of times) time.title = time.textContent;
refresh();
setInterval(refresh, 60_000);

/** The back button shows a page as it was left, even after signing out: it is left empty, and asked for anew. */
if (document.body.hasAttribute("data-private")) {
  addEventListener("pagehide", ({ persisted }) => {
    document.body.hidden = persisted;
  });
  addEventListener("pageshow", ({ persisted }) => {
    if (persisted) location.reload();
  });
}
