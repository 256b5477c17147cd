/**
 * Preloaded with `node --import`, it moves the wall clock by CLOCK_SHIFT_MS when SIGUSR2 comes, as a time server's
 * correction or an administrator does; the monotonic clock goes on.
 */
const shift = Number(process.env['CLOCK_SHIFT_MS'])
const RealDate = Date
let offset = 0
const now = (): number => RealDate.now() + offset

globalThis.Date = new Proxy(RealDate, {
  construct: (target, args, newTarget) =>
    Reflect.construct(target, args.length === 0 ? [now()] : args, newTarget) as object,
  get: (target, name, receiver): unknown => (name === 'now' ? now : Reflect.get(target, name, receiver))
})
process.on('SIGUSR2', () => (offset = shift))
