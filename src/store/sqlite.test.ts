import { silentLog } from "../lib/log.ts";
import { testStoreContract } from "./contract.ts";
import { openSqliteStore } from "./sqlite.ts";
import { temporaryDirectory } from "./sqlite-testing.ts";
import type { Store } from "./store.ts";

testStoreContract({
  name: "sqlite",
  durable: true,
  open: async () => {
    const temporary = await temporaryDirectory();
    const open = (): Promise<Store> =>
      openSqliteStore({ directory: temporary.path, log: silentLog });
    let store = await open();
    return {
      store,
      reopen: async () => {
        await store.close();
        store = await open();
        return store;
      },
      dispose: async () => {
        await store.close();
        await temporary.remove();
      },
    };
  },
});
