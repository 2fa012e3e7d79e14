/* Passkeys: asks the browser, fills the answer into the form, and sends the form. The server decides everything. */
(() => {
  "use strict";
  const bytes = (text) => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
  const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer)))
    .replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
  const list = (credentials) => (credentials ?? []).map((each) => ({ ...each, id: bytes(each.id) }));

  /* WebAuthn's own JSON has bytes as base64url; the browser wants buffers. */
  function parsed(json) {
    const options = JSON.parse(json);
    options.challenge = bytes(options.challenge);
    if (options.user) options.user.id = bytes(options.user.id);
    if (options.excludeCredentials) options.excludeCredentials = list(options.excludeCredentials);
    if (options.allowCredentials) options.allowCredentials = list(options.allowCredentials);
    return options;
  }

  function told(credential) {
    const { response } = credential;
    const said = { clientDataJSON: text(response.clientDataJSON) };
    if (response.attestationObject) {
      said.attestationObject = text(response.attestationObject);
      said.transports = response.getTransports?.() ?? [];
    } else {
      said.authenticatorData = text(response.authenticatorData);
      said.signature = text(response.signature);
      if (response.userHandle) said.userHandle = text(response.userHandle);
    }
    return JSON.stringify({ id: credential.id, rawId: text(credential.rawId), type: credential.type, response: said });
  }

  function send(form, credential) {
    form.querySelector("[name=code], [name=credential]").value = told(credential);
    form.requestSubmit();
  }

  /* One question at a time; the button waits for its answer. */
  function start(form, ask) {
    const button = form.querySelector("[data-passkey-start]");
    const failed = form.querySelector("[data-passkey-failed]");
    form.hidden = button.hidden = false;
    form.querySelector("[data-passkey-missing]")?.remove();
    button.addEventListener("click", async () => {
      if (!form.reportValidity()) return;
      failed.hidden = button.disabled = true;
      try {
        send(form, await ask());
      } catch {
        failed.hidden = false; /* cancelled, too late, or no passkey that fits: browsers don't tell which */
      }
      button.disabled = false;
    });
    return button;
  }

  /* A sign-in without a name: the button asks, and before it the browser may offer passkeys in the name's field. */
  function signIn(form) {
    let waiting = new AbortController();
    const begin = async () => {
      const token = form.querySelector("[name=csrfmiddlewaretoken]").value;
      const answer = await fetch(form.dataset.passkeyFrom, { method: "POST", headers: { "X-CSRFToken": token } });
      if (!answer.ok) throw new Error("no options");
      return answer.json();
    };
    start(form, async () => {
      waiting.abort();
      const { options } = await begin();
      return navigator.credentials.get({ publicKey: parsed(options) });
    });
    const offer = async () => {
      if (!await PublicKeyCredential.isConditionalMediationAvailable?.()) return;
      waiting = new AbortController();
      const { signal } = waiting;
      const { options, seconds } = await begin();
      const again = setTimeout(() => { waiting.abort(); offer().catch(() => {}); }, Math.max(60, seconds - 30) * 1000);
      signal.addEventListener("abort", () => clearTimeout(again));
      send(form, await navigator.credentials.get({ publicKey: parsed(options), mediation: "conditional", signal }));
    };
    offer().catch(() => {}); /* aborted by the button, or not offered: there is the button */
  }

  if (!window.PublicKeyCredential || !navigator.credentials) return;
  for (const form of document.querySelectorAll("form[data-passkey]")) {
    const publicKey = parsed(form.dataset.passkey);
    const making = form.hasAttribute("data-passkey-make");
    const button = start(form, () => navigator.credentials[making ? "create" : "get"]({ publicKey }));
    if (!making) button.focus();
  }
  for (const form of document.querySelectorAll("form[data-passkey-from]")) signIn(form);
})();
