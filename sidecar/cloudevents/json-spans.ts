/** Where a member or an element stands in a JSON text: `text.slice(start, end)` is its value exactly as it was sent. */
export interface Span {
  readonly start: number
  readonly end: number
}

/** A member of a JSON object with its key decoded. */
export interface MemberSpan extends Span {
  readonly key: string
}

/**
 * Finds the members of a JSON object without parsing their values: `data` has to leave as the bytes it came in, and
 * JSON.parse and back would round numbers and drop duplicate keys.
 * @param text a JSON object that JSON.parse has already accepted: nothing is checked here
 * @returns the members in their order, duplicates included
 */
export function memberSpans(text: string): MemberSpan[] {
  const members: MemberSpan[] = []
  let at = skipSpace(text, text.indexOf('{') + 1)
  while (text[at] !== '}') {
    const keyEnd = endOfString(text, at)
    const key = JSON.parse(text.slice(at, keyEnd)) as string
    const start = skipSpace(text, skipSpace(text, keyEnd) + 1)
    const end = endOfValue(text, start)
    members.push({ key, start, end })
    at = skipSpace(text, end)
    if (text[at] === ',') at = skipSpace(text, at + 1)
  }
  return members
}

/**
 * Finds the elements of a JSON array without parsing them.
 * @param text a JSON array that JSON.parse has already accepted: nothing is checked here
 */
export function elementSpans(text: string): Span[] {
  const elements: Span[] = []
  let at = skipSpace(text, text.indexOf('[') + 1)
  while (text[at] !== ']') {
    const end = endOfValue(text, at)
    elements.push({ start: at, end })
    at = skipSpace(text, end)
    if (text[at] === ',') at = skipSpace(text, at + 1)
  }
  return elements
}

function skipSpace(text: string, at: number): number {
  while (text.charCodeAt(at) <= 0x20) at++
  return at
}

function endOfString(text: string, start: number): number {
  let at = start + 1
  while (text[at] !== '"') at += text[at] === '\\' ? 2 : 1
  return at + 1
}

function endOfValue(text: string, start: number): number {
  const first = text[start]
  if (first === '"') return endOfString(text, start)
  if (first !== '{' && first !== '[') {
    let at = start
    while (at < text.length && !/[\s,\]}]/.test(text[at] ?? '')) at++
    return at
  }
  // A counter, not recursion: a body of ten million brackets must not end the process.
  let depth = 0
  let at = start
  for (;;) {
    const character = text[at]
    if (character === '"') {
      at = endOfString(text, at)
      continue
    }
    if (character === '{' || character === '[') depth++
    else if (character === '}' || character === ']') depth--
    at++
    if (depth === 0) return at
  }
}
