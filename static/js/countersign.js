/* What the pages gain from JavaScript. Without it every form still works; the server decides everything. */
(() => {
  "use strict";
  const started = new WeakSet();

  /* Starts `begin` once for each element that matches, in the page or in a part htmx has just put there. */
  function each(root, selector, begin) {
    const found = [...root.querySelectorAll(selector)];
    if (root.matches?.(selector)) found.unshift(root);
    for (const element of found) {
      if (started.has(element)) continue;
      started.add(element);
      begin(element);
    }
  }

  /* Countdown: the text moves every second, but is read out only when it is over. */
  function countdown(element) {
    const serverNow = Date.parse(element.dataset.countdownNow);
    const skew = Number.isNaN(serverNow) ? 0 : Date.now() - serverNow;
    const until = Date.parse(element.dataset.countdownUntil) + skew;
    if (Number.isNaN(until)) return;
    const left = element.querySelector("[data-countdown-left]") ?? element;
    const button = document.getElementById(element.dataset.countdownEnables ?? "");

    const over = () => {
      if (button) button.disabled = false;
      element.setAttribute("aria-live", "polite");
      const text = element.dataset.countdownOver;
      setTimeout(() => { (text === undefined ? left : element).textContent = text ?? "0:00"; }, 50);
    };
    const tick = () => {
      if (!element.isConnected) return;
      const seconds = Math.ceil((until - Date.now()) / 1000);
      if (seconds <= 0) return over();
      left.textContent = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
      setTimeout(tick, (until - Date.now()) % 1000 || 1000);
    };
    if (button && until > Date.now()) button.disabled = true;
    tick();
  }

  /* The code in what was typed, pasted or filled in: "123 456", "123-456", or a whole message, of which it is the last
     line's (@shop #123456) or the only group of digits that is long enough. */
  function codeIn(text, length) {
    const bound = text.match(new RegExp(`#(\\d{${length}})\\s*$`));
    if (bound) return bound[1];
    const digits = text.replace(/[^\p{Nd}]/gu, "");
    if (!/\p{L}/u.test(text)) return digits;
    const groups = text.match(/\d+(?:[ \u00a0-]\d+)*/g) ?? [];
    const codes = new Set(groups.map((group) => group.replace(/\D/g, "")).filter((group) => group.length === length));
    return codes.size === 1 ? [...codes][0] : digits;
  }

  /* Code field: spaces and dashes go, the last digit submits once. */
  function codeField(input) {
    const form = input.form;
    const length = Number(input.dataset.code) || 6;
    let submitted = false;

    const tidy = () => {
      const digits = codeIn(input.value, length);
      if (digits !== input.value) input.value = digits;
      if (digits.length !== length || submitted || !form?.hasAttribute("data-submit-on-complete")) return;
      submitted = true;
      form.requestSubmit();
    };
    input.addEventListener("input", (event) => { if (!event.isComposing) tidy(); });
    input.addEventListener("compositionend", tidy);
    window.addEventListener("pageshow", () => { submitted = false; }); /* back again by the browser's button */

    if (!("OTPCredential" in window) || input.autocomplete !== "one-time-code") return;
    const abort = new AbortController();
    form?.addEventListener("submit", () => abort.abort(), { once: true });
    navigator.credentials.get({ otp: { transport: ["sms"] }, signal: abort.signal })
      .then((otp) => {
        if (!otp || !input.isConnected) return;
        input.value = otp.code;
        tidy();
      })
      .catch(() => {}); /* refused, aborted or not for us: the shopper types */
  }

  /* One submit: the second click, or the second Enter, does nothing. */
  const isHtmx = (form) => form.matches("[hx-post], [hx-get], [hx-put], [hx-delete], [hx-boost=true], [hx-boost=true] *");

  function hold(form) {
    form.setAttribute("aria-busy", "true");
    /* Only after the browser has collected the values, or the pressed button's own would be lost. */
    setTimeout(() => {
      for (const button of form.querySelectorAll("button:not([type=button]):not(:disabled)")) {
        button.disabled = true;
        button.dataset.held = "";
      }
    });
  }

  function release(form) {
    form.removeAttribute("aria-busy");
    for (const button of form.querySelectorAll("[data-held]")) {
      button.disabled = false;
      delete button.dataset.held;
    }
  }

  document.addEventListener("submit", (event) => {
    if (!event.target.matches("[data-once][aria-busy=true]")) return;
    event.preventDefault();
    event.stopImmediatePropagation();
  }, true);
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.matches("[data-once]") && (!event.defaultPrevented || isHtmx(form))) hold(form);
  });
  window.addEventListener("pageshow", () => document.querySelectorAll("form[data-once]").forEach(release));
  document.addEventListener("htmx:afterRequest", (event) => {
    const form = event.detail.elt?.closest?.("form[data-once]");
    if (form) release(form);
  });

  /* Where a message is, is not asked by a hidden tab, nor while a form is on its way to the next page. */
  document.addEventListener("htmx:beforeRequest", (event) => {
    if (event.detail.elt.id !== "delivery") return;
    if (document.hidden || document.querySelector("form[aria-busy=true]")) event.preventDefault();
  });

  /* Quantity: minus and plus around the number field. */
  function stepper(box) {
    const input = box.querySelector("input");
    const buttons = box.querySelectorAll("[data-step]");
    const limits = () => {
      for (const button of buttons) {
        const limit = Number(button.dataset.step) < 0 ? input.min : input.max;
        button.disabled = limit !== "" && input.value !== "" && Number(input.value) === Number(limit);
      }
    };
    for (const button of buttons) {
      button.hidden = false;
      button.addEventListener("click", () => {
        Number(button.dataset.step) < 0 ? input.stepDown() : input.stepUp();
        input.dispatchEvent(new Event("change", { bubbles: true }));
      });
    }
    input.addEventListener("change", limits);
    limits();
  }

  /* Forms that submit when something in them changes; a short wait lets three clicks be one request. */
  function autoSubmit(form) {
    let timer;
    form.querySelectorAll("[data-auto-submit-fallback]").forEach((button) => { button.hidden = true; });
    form.addEventListener("change", () => {
      form.dataset.changed = "";
      clearTimeout(timer);
      timer = setTimeout(() => {
        if (form.checkValidity()) return form.requestSubmit();
        delete form.dataset.changed;
        form.reportValidity();
      }, 400);
    });
    form.addEventListener("htmx:beforeRequest", () => { delete form.dataset.changed; });
  }
  /* The answer to an earlier click must not undo a later one, whose own answer is yet to come. */
  document.addEventListener("htmx:beforeSwap", (event) => {
    if (event.detail.target.querySelector("form[data-changed]")) event.detail.shouldSwap = false;
  });

  /* The account menu closes on Escape and on a click elsewhere. */
  function menu(details) {
    document.addEventListener("click", (event) => { if (!details.contains(event.target)) details.open = false; });
    details.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || !details.open) return;
      details.open = false;
      details.querySelector("summary").focus();
    });
  }

  function copy(button) {
    if (!navigator.clipboard) return;
    button.hidden = false;
    button.addEventListener("click", () => {
      const text = document.getElementById(button.dataset.copy).innerText.trim();
      navigator.clipboard.writeText(text).then(() => { button.textContent = button.dataset.copied ?? "✓"; });
    });
  }

  function print(button) {
    button.hidden = false;
    button.addEventListener("click", () => window.print());
  }

  /* The file is made here: what it says was shown once and is kept nowhere, so no server could send it again. */
  function save(button) {
    button.hidden = false;
    button.addEventListener("click", () => {
      const text = document.getElementById(button.dataset.save).innerText.trim();
      const link = document.createElement("a");
      link.href = URL.createObjectURL(new Blob([`${text}\n`], { type: "text/plain" }));
      link.download = button.dataset.file;
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
    });
  }

  function start(root) {
    each(root, "[data-countdown-until]", countdown);
    each(root, "[data-code]", codeField);
    each(root, "[data-stepper]", stepper);
    each(root, "form[data-auto-submit]", autoSubmit);
    each(root, "[data-without-script]", (element) => { element.hidden = true; });
    each(root, "[data-menu]", menu);
    each(root, "[data-copy]", copy);
    each(root, "[data-print]", print);
    each(root, "[data-save]", save);
    each(root, "[data-focus]", (element) => element.focus());
  }

  start(document);
  document.addEventListener("htmx:load", (event) => start(event.target));
})();
