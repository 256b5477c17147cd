/** A rectangle in pixels. */
export interface Box {
  readonly x: number
  readonly y: number
  readonly width: number
  readonly height: number
}

/** What a text looks like. */
export interface TextStyle {
  readonly size: number
  readonly colour: string
  readonly bold?: boolean
  readonly anchor?: 'start' | 'middle' | 'end'
}

/** Colours of Grafana's dark theme, by the names that a dashboard has them by. */
export const colours: Readonly<Record<string, string>> = {
  page: '#111217',
  panel: '#181b1f',
  border: '#2a2d33',
  grid: '#2b2e34',
  text: '#ccccdc',
  faint: '#8e8e9b',
  green: '#73bf69',
  blue: '#5794f2',
  orange: '#ff9830',
  red: '#f2495c',
  transparent: 'none'
}

/** The order in which lines get theirs. */
export const palette = [
  '#7eb26d',
  '#eab839',
  '#6ed0e0',
  '#ef843c',
  '#e24d42',
  '#3f8fd6',
  '#ba43a9',
  '#8f7ac4',
  '#629e51',
  '#e5ac0e',
  '#64b0c8',
  '#e0752d'
]

/** The value of a dashboard's colour. */
export function colourOf(name: string): string {
  return colours[name] ?? name
}

/** Text for XML. */
export function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')
}

export function text(x: number, y: number, content: string, { size, colour, bold, anchor }: TextStyle): string {
  const weight = bold ? ' font-weight="600"' : ''
  const place = anchor === undefined || anchor === 'start' ? '' : ` text-anchor="${anchor}"`
  return `<text x="${round(x)}" y="${round(y)}" font-size="${size}" fill="${colour}"${weight}${place}>${escape(content)}</text>`
}

export function rectangle({ x, y, width, height }: Box, fill: string, stroke?: string, radius = 2): string {
  const line = stroke === undefined ? '' : ` stroke="${stroke}"`
  return `<rect x="${round(x)}" y="${round(y)}" width="${round(width)}" height="${round(height)}" rx="${radius}" fill="${fill}"${line}/>`
}

/** About how wide a text is, in pixels: there is no font to measure here. */
export function widthOf(content: string, size: number): number {
  let sum = 0
  for (const character of content) {
    sum += /[iljtfr.,:;'|!() ]/.test(character) ? 0.33 : /[mwMWA-Z%]/.test(character) ? 0.74 : 0.56
  }
  return sum * size
}

/** Cuts a text to a width, with an ellipsis. */
export function fit(content: string, size: number, width: number): string {
  if (widthOf(content, size) <= width) return content
  let cut = content
  while (cut.length > 1 && widthOf(`${cut}…`, size) > width) cut = cut.slice(0, -1)
  return `${cut}…`
}

export function round(value: number): number {
  return Math.round(value * 10) / 10
}
