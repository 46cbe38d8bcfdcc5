// Keyed hashes are stored as `<version of the key>.<base64url>`, so that each tells which version it needs.

/** Undefined for what is no such hash. */
export function keyVersionOf(mac: string): number | undefined {
	const [, version] = /^(\d{1,9})\./.exec(mac) ?? [];
	return version === undefined ? undefined : Number(version);
}
