export function tail(_o: object): Promise<void> {
  return Promise.resolve()
}
