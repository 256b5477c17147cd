import type { Dashboard, Panel } from '../../test/support/prometheus/dashboard.ts'
import type { Answers } from './answers.ts'
import { drawChart, type ChartTimes } from './chart.ts'
import { colourOf, colours, fit, rectangle, text, type Box } from './svg.ts'
import { drawStat, drawTable } from './tiles.ts'

const WIDTH = 1600
const MARGIN = 12
const GAP = 6
/** Pixels of a unit of a panel's place. */
const UNIT = 30
const HEAD = 78

/** Draws the dashboard with Prometheus's answers. @param captions lines that say what is to be seen @returns SVG */
export function drawPage(dashboard: Dashboard, answers: Answers, captions: readonly string[]): string {
  const bottom = Math.max(...dashboard.panels.map(({ gridPos }) => gridPos.y + gridPos.h))
  const height = HEAD + bottom * UNIT + MARGIN
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" font-family="Inter, Helvetica, Arial, 'DejaVu Sans', sans-serif">`,
    `<title>${dashboard.title}</title>`,
    rectangle({ x: 0, y: 0, width: WIDTH, height }, colourOf('page'), undefined, 0),
    text(MARGIN + 4, 28, dashboard.title, { size: 20, colour: colourOf('text'), bold: true }),
    ...captions.map((caption, index) =>
      text(MARGIN + 4, 48 + 18 * index, caption, { size: 12.5, colour: colourOf('faint') })
    ),
    ...dashboard.panels.map(panel => drawPanel(panel, answers))
  ]
  return `${parts.join('\n')}\n</svg>\n`
}

function drawPanel(panel: Panel, answers: Answers): string {
  const { x, y, w, h } = panel.gridPos
  const column = (WIDTH - 2 * MARGIN) / 24
  const box: Box = {
    x: MARGIN + x * column + GAP / 2,
    y: HEAD + y * UNIT + GAP / 2,
    width: w * column - GAP,
    height: h * UNIT - GAP
  }
  if (panel.type === 'row') {
    return text(box.x + 4, box.y + 18, `⌄  ${panel.title}`, { size: 15, colour: colourOf('text'), bold: true })
  }
  const title = text(box.x + 9, box.y + 19, fit(panel.title, 13, box.width - 16), {
    size: 13,
    colour: colourOf('text'),
    bold: true
  })
  const inside: Box = { x: box.x + 8, y: box.y + 28, width: box.width - 16, height: box.height - 34 }
  return rectangle(box, colourOf('panel'), colours['border']) + title + drawInside(panel, answers, inside)
}

function drawInside(panel: Panel, answers: Answers, box: Box): string {
  const own = answers.panels[panel.id] ?? {}
  const times: ChartTimes = answers
  if (panel.type === 'stat') return drawStat(panel, own, box)
  if (panel.type === 'table') return drawTable(panel, own, box)
  return drawChart(panel, own, box, times)
}
