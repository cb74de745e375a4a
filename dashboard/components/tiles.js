// Shows a grid of pictures and reports which one is opened, by a click or by Enter. Python's side is gallery.py.

const shown = new WeakMap(); // the mount's element → the HTML in it, which is kept where it does not change

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".weakspot-tiles");
  if (shown.get(root) !== data.html) {
    root.innerHTML = data.html;
    shown.set(root, data.html);
  }
  root.onclick = ({ target }) => {
    const picture = target.closest("[data-tile]");
    if (picture) setTriggerValue("open", Number(picture.dataset.tile));
  };
}
