export function demo(_o: object): Promise<void> {
  return Promise.resolve()
}
