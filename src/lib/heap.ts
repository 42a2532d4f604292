/** What is smallest comes out first; as for equals, in no certain order. */
export class Heap<T> {
  readonly #items: T[] = [];
  readonly #compare: (a: T, b: T) => number;

  constructor(compare: (a: T, b: T) => number) {
    this.#compare = compare;
  }

  /** The smallest; undefined when there is none. */
  peek(): T | undefined {
    return this.#items[0];
  }

  push(item: T): void {
    const items = this.#items;
    let at = items.push(item) - 1;
    while (at > 0) {
      const parentAt = (at - 1) >> 1;
      const parent = items[parentAt] as T;
      if (this.#compare(parent, item) <= 0) break;
      items[at] = parent;
      at = parentAt;
    }
    items[at] = item;
  }

  /** Takes the smallest out. */
  pop(): T | undefined {
    const smallest = this.#items[0];
    const last = this.#items.pop();
    if (last !== undefined && this.#items.length > 0) this.#sink(last);
    return smallest;
  }

  /** Finds a place for `item`, from the top down. */
  #sink(item: T): void {
    const items = this.#items;
    let at = 0;
    for (;;) {
      let childAt = 2 * at + 1;
      if (childAt >= items.length) break;
      const right = childAt + 1;
      if (right < items.length && this.#compare(items[right] as T, items[childAt] as T) < 0) {
        childAt = right;
      }
      const child = items[childAt] as T;
      if (this.#compare(item, child) <= 0) break;
      items[at] = child;
      at = childAt;
    }
    items[at] = item;
  }
}
