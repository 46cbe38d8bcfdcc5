import mongoose from "mongoose";
const c=await mongoose.createConnection(`mongodb://127.0.0.1:${process.argv[2]}/?directConnection=true`).asPromise();
for (const {name} of (await c.db.admin().listDatabases()).databases){const db=c.useDb(name);
 const m=await db.collection("messages").findOne({unintegratedSince:{$exists:true},archive:{$exists:true}}); if(m){const {facts,decision,archive,...r}=m;console.log(name,JSON.stringify(r,null,0).slice(0,3000));}}
await c.close();
