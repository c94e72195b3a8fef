"use strict";
// One layer of the picture: the tiles of one level that can be seen. A level that comes in replaces the one before
// when all its tiles are there, so that nothing flickers; tiles out of sight are dropped, so that memory is bounded.

// The sizes of an image, from the image itself down to one that fits into a tile; see levels.py.
function levelsOf(width, height) {
  const levels = [{ width, height }];
  while (Math.max(width, height) > report.tile) {
    [width, height] = [Math.ceil(width / 2), Math.ceil(height / 2)];
    levels.push({ width, height });
  }
  return levels;
}

class Layer {
  constructor(node, kind) {
    this.node = node;
    this.kind = kind;
    this.groups = [];  // of tiles, the level that is wanted last
  }

  clear() {
    this.groups = [];
    this.node.replaceChildren();
    this.node.dataset.whole = false;
  }

  // `view`: image, levels, level (a number), scale, x, y (the image's corner in the pane), width, height, originX,
  // originY (the pane's), grain (pixels of the screen for one of the page).
  update(view) {
    let group = this.groups.at(-1);
    if (!group || group.level !== view.level) {
      group = { level: view.level, tiles: new Map(), node: make("div") };
      this.groups.push(group);
      this.node.append(group.node);
    }
    const grid = this.gridOf(view, group.level);
    const wanted = new Set();
    for (let row = grid.top; row <= grid.bottom; row++) {
      for (let column = grid.left; column <= grid.right; column++) {
        const key = `${group.level}_${column}_${row}`;
        wanted.add(key);
        if (!group.tiles.has(key)) group.tiles.set(key, this.load(view, group, key));
      }
    }
    for (const [key, tile] of group.tiles) {
      if (!wanted.has(key)) {
        tile.remove();
        group.tiles.delete(key);
      }
    }
    for (const each of this.groups) this.place(view, each);
    this.settle();
  }

  load(view, group, key) {
    const { image } = view;
    const tile = make("img", {
      alt: "", draggable: "false",
      src: `${report.pictures}/${images.digits[image]}/${key}_${this.kind}.webp?${images.map[image]}`,
    });
    group.node.append(tile);
    const isWanted = () => this.groups.includes(group) && group.tiles.get(key) === tile;
    tile.decode().then(() => {
      tile.dataset.ready = "";
      if (isWanted()) this.settle();
    }, () => {
      if (isWanted()) showMissing();
    });
    return tile;
  }

  // Show the wanted level as soon as it is whole, or if there is no other.
  settle() {
    const group = this.groups.at(-1);
    const whole = [...group.tiles.values()].every((tile) => "ready" in tile.dataset);
    if (whole) {
      for (const other of this.groups.slice(0, -1)) other.node.remove();
      this.groups = [group];
    }
    group.node.hidden = !whole && this.groups.length > 1;
    this.node.dataset.whole = whole;
  }

  // The tiles of a level that the pane can see.
  gridOf(view, level) {
    const { width, height } = view.levels[level];
    const sideX = (report.tile * view.levels[0].width) / width * view.scale;  // of a tile on the screen
    const sideY = (report.tile * view.levels[0].height) / height * view.scale;
    const last = { column: Math.ceil(width / report.tile) - 1, row: Math.ceil(height / report.tile) - 1 };
    const between = (value, most) => Math.min(most, Math.max(0, Math.floor(value)));
    return {
      left: between(-view.x / sideX, last.column),
      right: between((view.width - view.x) / sideX, last.column),
      top: between(-view.y / sideY, last.row),
      bottom: between((view.height - view.y) / sideY, last.row),
    };
  }

  // Tiles lie on whole pixels of the screen, so that no line shows between them and none is blurred.
  place(view, group) {
    const level = view.levels[group.level];
    const snapper = (origin) => (value) => Math.round((origin + value) * view.grain) / view.grain - origin;
    const [snapX, snapY] = [snapper(view.originX), snapper(view.originY)];
    const [stepX, stepY] = [view.levels[0].width / level.width, view.levels[0].height / level.height];
    for (const [key, tile] of group.tiles) {
      const [, column, row] = key.split("_").map(Number);
      const left = snapX(view.x + column * report.tile * stepX * view.scale);
      const top = snapY(view.y + row * report.tile * stepY * view.scale);
      const right = snapX(view.x + Math.min((column + 1) * report.tile, level.width) * stepX * view.scale);
      const bottom = snapY(view.y + Math.min((row + 1) * report.tile, level.height) * stepY * view.scale);
      Object.assign(tile.style, {
        left: `${left}px`, top: `${top}px`, width: `${right - left}px`, height: `${bottom - top}px`,
      });
    }
  }
}
