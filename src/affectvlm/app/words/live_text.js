// Lines of text that are sent while they are typed, at the first short pause.

const PAUSE_MS = 200;

export default function ({ parentElement, data, setStateValue }) {
  const area = parentElement.querySelector("textarea");
  // Later runs of the page know an older text than the one that is being typed.
  if (area.dataset.ready) return;
  area.dataset.ready = "yes";
  area.value = data.text;
  area.maxLength = data.most;
  area.rows = data.rows;
  area.setAttribute("aria-label", data.label);

  let pause = 0;
  let sent = data.text;
  const send = () => {
    clearTimeout(pause);
    if (area.value === sent) return;
    sent = area.value;
    setStateValue("text", sent);
  };
  area.oninput = () => {
    clearTimeout(pause);
    pause = setTimeout(send, PAUSE_MS);
  };
  area.onblur = send;
  return () => clearTimeout(pause);
}
