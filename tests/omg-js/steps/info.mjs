export function info() {}
