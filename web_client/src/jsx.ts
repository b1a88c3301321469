/**
 * Stands in for `react/jsx-runtime` in the bundle (vite.config.ts). Its two functions are one in production, and as a
 * name of our own modules it takes less room than `(0, runtime.jsx)`, 1,500 times.
 */
import { Fragment as group, jsx as element } from "react/jsx-runtime";

export const Fragment = group;
const jsx = element;
export { jsx, jsx as jsxs };
