// A progress bar for work that goes on elsewhere: redrawn in place on a terminal, a line now and then where there is none.

type Out = Pick<NodeJS.WriteStream, "write"> & { isTTY?: boolean };

const width = 30;
const linesEvery = 0.1;

/** `show` draws how far it is; `end` leaves the line. */
export function createProgress(what: string, out: Out = process.stderr) {
	let shown = -1;
	return {
		show(done: number, total: number): void {
			const share = total > 0 ? Math.min(1, done / total) : 1;
			const filled = Math.round(share * width);
			const bar = `${"#".repeat(filled)}${".".repeat(width - filled)}`;
			const line = `${what} [${bar}] ${Math.floor(share * 100)}% ${done.toLocaleString("en")} of ${total.toLocaleString("en")}`;
			if (out.isTTY) out.write(`\r${line}`);
			else if (shown < 0 || share - shown >= linesEvery || (share === 1 && shown < 1)) {
				out.write(`${line}\n`);
				shown = share;
			}
		},
		end(): void {
			if (out.isTTY) out.write("\n");
		},
	};
}
