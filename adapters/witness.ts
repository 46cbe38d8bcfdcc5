// What a witness of the evidence log is: a place outside the database that keeps the last checkpoint it was shown.

export type Witness = {
	/** Where it is, in a word. */
	name: string;
	/** The signed note that it keeps; undefined when it has none yet. */
	read: () => Promise<string | undefined>;
	/**
	 * Has it keep another in the place of the one that was read last; false when somebody else was faster. One that is
	 * of another log stays for good, among those `before`.
	 */
	write: (note: string) => Promise<boolean>;
	/** The last notes of other logs that it was shown before this one, the first first. */
	before: () => Promise<string[]>;
};
