/* What the pages do beyond links and forms: they refresh themselves, copy keys, and choose what is filled in.
   Without it everything else works. */
"use strict";

(() => {
    const bar = document.querySelector("[data-tc-live]");
    if (bar) keepLive(bar, document.getElementById("tc-page"));
    for (const button of document.querySelectorAll("[data-tc-copy]")) offerCopy(button);
    for (const choice of document.querySelectorAll(".tc-choice")) chooseWithField(choice);

    /* Fetch the page anew every few seconds while it is looked at. */
    function keepLive(bar, page) {
        const state = bar.querySelector(".tc-live-state");
        const button = bar.querySelector("button");
        const pause = Number(bar.dataset.tcLive) * 1000;
        let paused = false;
        let asking = false;

        function say(text, trouble = false) {
            if (state.textContent !== text) state.textContent = text;
            bar.classList.toggle("tc-trouble", trouble);
        }

        async function refresh() {
            if (paused || asking || document.hidden) return;
            asking = true;
            try {
                const answer = await fetch(location.href, {
                    headers: {Accept: "text/html"},
                    redirect: "manual",
                    signal: AbortSignal.timeout(10000),
                });
                if (answer.type === "opaqueredirect" || answer.status === 403) {
                    stop(bar.dataset.ended);
                } else if (!answer.ok) {
                    say(bar.dataset.failed, true);
                } else {
                    take(await answer.text());
                }
            } catch {
                say(bar.dataset.failed, true);
            } finally {
                asking = false;
            }
        }

        function take(text) {
            const fresh = new DOMParser().parseFromString(text, "text/html").getElementById("tc-page");
            if (!fresh || paused) return;
            merge(page, fresh);
            say(bar.dataset.running);
        }

        function stop(text) {
            clearInterval(timer);
            button.hidden = true;
            say(text, true);
        }

        function show() {
            say(paused ? bar.dataset.paused : bar.dataset.running);
            button.textContent = paused ? bar.dataset.resume : bar.dataset.pause;
        }

        button.addEventListener("click", () => {
            paused = !paused;
            show();
            refresh();
        });
        document.addEventListener("visibilitychange", refresh);
        const timer = setInterval(refresh, pause);
        bar.hidden = false;
        show();
    }

    /* Make one element like another, keeping what is alike: so focus, selection, scrolled boxes
       and opened figures stay. */
    function merge(old, fresh) {
        for (const {name} of [...old.attributes]) {
            if (!fresh.hasAttribute(name) && !(name === "open" && old.localName === "details")) {
                old.removeAttribute(name);
            }
        }
        for (const {name, value} of fresh.attributes) {
            if (old.getAttribute(name) !== value) old.setAttribute(name, value);
        }
        const incoming = [...fresh.childNodes];
        incoming.forEach((node, at) => {
            const present = old.childNodes[at];
            if (!present) {
                old.append(document.importNode(node, true));
            } else if (!alike(present, node)) {
                present.replaceWith(document.importNode(node, true));
            } else if (node.nodeType === Node.ELEMENT_NODE) {
                merge(present, node);
            } else if (present.nodeValue !== node.nodeValue) {
                present.nodeValue = node.nodeValue;
            }
        });
        while (old.childNodes.length > incoming.length) old.lastChild.remove();
    }

    function alike(one, other) {
        return one.nodeType === other.nodeType && one.nodeName === other.nodeName && one.id === other.id;
    }

    /* Who begins to fill in what belongs to a choice has chosen it. */
    function chooseWithField(choice) {
        const radio = choice.querySelector("input[type=radio]");
        choice.addEventListener("input", (event) => {
            if (event.target !== radio) radio.checked = true;
        });
    }

    /* Copy the text of the element that a button names. */
    function offerCopy(button) {
        if (!navigator.clipboard) return;
        const label = button.textContent;
        button.hidden = false;
        button.addEventListener("click", async () => {
            const source = document.getElementById(button.dataset.tcCopy);
            try {
                await navigator.clipboard.writeText(source.textContent);
                button.textContent = button.dataset.done;
            } catch {
                getSelection().selectAllChildren(source);
            }
            setTimeout(() => { button.textContent = label; }, 2000);
        });
    }
})();
