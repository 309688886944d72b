/* What a replay does when it is opened: it puts a viewer in its page, and hands it the run that is in there, too. */
(() => {
  "use strict";

  /** The sheet behind the address, its columns put back in order: replay_page.py interleaves them. */
  async function unpack([address, columns]) {
    const sheet = await textdiff.decode(address);
    if (columns === 1) return sheet;
    const { width, height } = sheet;
    const canvas = Object.assign(document.createElement("canvas"), { width, height });
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.drawImage(sheet, 0, 0);
    sheet.close();
    const packed = new Uint32Array(context.getImageData(0, 0, width, height).data.buffer); // a number per pixel
    const ordered = new ImageData(width, height);
    const pixels = new Uint32Array(ordered.data.buffer);
    for (let row = 0, at = 0; row < height; row++) {
      for (let x = 0; x < width / columns; x++) {
        for (let column = 0; column < columns; column++, at++) {
          pixels[row * width + column * (width / columns) + x] = packed[at];
        }
      }
    }
    return createImageBitmap(ordered, { colorSpaceConversion: "none", premultiplyAlpha: "none" });
  }

  const { run, pictures, lessons, tour } = JSON.parse(document.getElementById("replay").textContent);
  const unpacked = Object.entries(pictures).map(([name, packed]) => [name, () => unpack(packed)]);
  const files = { "run.json": run, ...Object.fromEntries(unpacked) };
  textdiff.mountViewer(document.getElementById("viewer"), { runUrl: "", files, lessons, tour, recorded: true });
})();
