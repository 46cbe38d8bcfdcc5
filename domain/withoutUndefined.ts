// Leaves out fields that hold nothing: the store would keep an undefined field as null.

/** A copy of `value` without its undefined fields. */
export function withoutUndefined<T extends object>(value: { [K in keyof T]: T[K] | undefined }): T {
	return Object.fromEntries(Object.entries(value).filter(([, field]) => field !== undefined)) as T;
}
