// Before anything is painted, so that a page opened at night never flashes white.
"use strict";

const theme = localStorage.getItem("theme");
if (theme) document.documentElement.dataset.theme = theme;
