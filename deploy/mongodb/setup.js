// Makes the replica set and Lethe's user; run again, it only brings the user's password up to date.

const fs = require("node:fs");

const root = db.getSiblingDB("admin");
root.auth("root", fs.readFileSync("/run/secrets/mongodb_root_password", "utf8").trim());
try {
	rs.status();
} catch (error) {
	if (error.codeName !== "NotYetInitialized") throw error;
	rs.initiate({ _id: "lethe", members: [{ _id: 0, host: "mongodb:27017" }] });
}
while (!db.hello().isWritablePrimary) sleep(200);

const [, user, pwd] = /^mongodb:\/\/([^:]+):([^@]+)@/
	.exec(fs.readFileSync("/run/secrets/mongodb_url", "utf8"))
	.map(decodeURIComponent);
// Index making needs no more than readWrite; the user sees no other database.
const roles = [{ role: "readWrite", db: "lethe" }];
if (root.getUser(user)) root.updateUser(user, { pwd, roles });
else root.createUser({ user, pwd, roles });
