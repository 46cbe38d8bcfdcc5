// What the API's fields are called on the command line: it speaks of them by JSON pointers, people know options.

type Named = { options: readonly { long?: string | null | undefined }[] };

/** The option of the command that gives the field, as in `--approved-by` of `/approvedBy`; where none does, the pointer. */
export function optionOf(pointer: string, { options }: Named): string {
	const named = pointer.replace(/^\/querystring\//, "/").split("/")[1] ?? "";
	// Of a policy's proposal each --set is one of the changes.
	const field = named === "changes" ? "set" : named;
	const words = field.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
	const longs = options.flatMap(({ long }) => (long?.startsWith("--") ? [long.slice(2)] : []));
	// `messageId` is given by --message, `dataClasses` by --data-class, `clientReference` by --reference.
	const near = longs.filter((long) => new RegExp(`(^|-)${long}(s|es|-id)?$`).test(words));
	const [longest] = near.sort((one, other) => other.length - one.length);
	return longest === undefined ? pointer : `--${longest}`;
}
