/** Something that can be in a {@link PendingList}, in one at a time; the list sets and clears the links. */
export interface PendingNode {
  previous: PendingNode | undefined
  next: PendingNode | undefined
}

/**
 * What is pending, in the order in which it was added. Linked, because events are released in the order of delivery
 * reports, and the oldest must be found at any time.
 */
export class PendingList<N extends PendingNode> {
  #oldest: PendingNode | undefined
  #newest: PendingNode | undefined

  /** What was added first of what is there; undefined when nothing is. */
  get oldest(): N | undefined {
    return this.#oldest as N | undefined
  }

  /** Adds a node, as the newest one. */
  add(node: N): void {
    const previous = this.#newest
    node.previous = previous
    node.next = undefined
    if (previous === undefined) this.#oldest = node
    else previous.next = node
    this.#newest = node
  }

  /** Removes a node that was added and not removed. */
  remove(node: N): void {
    if (node.previous === undefined) this.#oldest = node.next
    else node.previous.next = node.next
    if (node.next === undefined) this.#newest = node.previous
    else node.next.previous = node.previous
    // A removed node that still points at its neighbours keeps them, once it is in V8's old space.
    node.previous = node.next = undefined
  }
}
