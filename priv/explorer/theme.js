// Sets light or dark before the first paint: what was chosen here, or else what the system prefers. Plain script, so that nothing flashes.
(() => {
  'use strict';
  const KEY = 'penning-theme';
  const system = matchMedia('(prefers-color-scheme: dark)');

  function chosen() {
    try {
      return localStorage.getItem(KEY);
    } catch {
      return null;
    }
  }

  function apply() {
    const choice = chosen();
    const theme = choice === 'dark' || choice === 'light' ? choice : system.matches ? 'dark' : 'light';
    document.documentElement.dataset.theme = theme;
    const button = document.getElementById('theme');
    if (!button) return;
    const other = theme === 'dark' ? 'light' : 'dark';
    button.setAttribute('aria-label', `Switch to ${other} colours`);
    button.title = `Switch to ${other} colours`;
  }

  apply();
  system.addEventListener('change', apply);
  document.addEventListener('DOMContentLoaded', () => {
    apply();
    document.getElementById('theme').addEventListener('click', () => {
      try {
        localStorage.setItem(KEY, document.documentElement.dataset.theme === 'dark' ? 'light' : 'dark');
      } catch {
        // Without storage the system decides.
      }
      apply();
    });
  });
})();
