"""The form that says what is to be evicted, and the filter of the audit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from django import forms
from django.utils.translation import gettext_lazy as _

from ..backend import TieredCache
from ..operations.evicting import BadSelection, Selection, Tier
from .access import Rights
from .addresses import BadAddress, raw_of, text_of

WHATS: Final = {
    "keys": _("Keys"),
    "pattern": _("All keys that fit a pattern"),
    "tag": _("All that bears a tag"),
    "version": _("All of one version"),
    "everything": _("Everything in this cache"),
}
"""The ways to say what is to be evicted."""

SWEEPING: Final = ("version", "everything")
"""Those that take all there is: for who may clear a cache."""

TIERS: Final = {
    "all": _("Redis and the memory of every node"),
    "memory": _("Memory alone: Redis keeps what it has"),
}
"""Where from."""

_ONE = forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"})
_MANY = forms.Textarea(attrs={"rows": 3, "autocomplete": "off", "spellcheck": "false"})


class EvictForm(forms.Form):
    """What is to be evicted, in one of five ways, and where from.

    Keys come as the code names them, one a line (`names`), or as addresses carry them (`k`), which
    also the page that asks for a confirmation does: what was previewed is what is confirmed.

    Attributes:
        selection: what was said, once the form has been found valid.
        chosen_tier: where from.
    """

    what = forms.ChoiceField(choices=[*WHATS.items()], widget=forms.RadioSelect)
    names = forms.CharField(
        label=_("Keys as the code names them, one a line"),
        required=False,
        strip=False,
        widget=_MANY,
    )
    pattern = forms.CharField(
        label=_("Pattern, in the cache's own version"), required=False, strip=False, widget=_ONE
    )
    tag = forms.CharField(
        label=_("Tag as the code names it"), required=False, strip=False, widget=_ONE
    )
    version = forms.IntegerField(label=_("Version"), required=False, widget=_ONE)
    tier = forms.ChoiceField(choices=[*TIERS.items()], widget=forms.RadioSelect)

    def __init__(
        self, cache: TieredCache, rights: Rights, data: Any = None, initial: Any = None
    ) -> None:
        super().__init__(data, initial={"what": "keys", "tier": "all"} | (initial or {}))
        self._cache = cache
        self._may_clear = rights.clear
        self._addresses = data.getlist("k") if data is not None else []
        self.selection: Selection | None = None
        if not rights.clear:
            allowed = [(name, label) for name, label in WHATS.items() if name not in SWEEPING]
            self.fields["what"].choices = allowed  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        """Make the selection of what was said."""
        said = super().clean() or {}
        if not self.errors:
            try:
                self.selection = self._selected(said)
                self.selection.check(self._cache)
                if self.selection.sweeps and not self._may_clear:
                    self.add_error("pattern", _("Every key fits it; you may not clear the cache."))
            except (BadSelection, BadAddress) as exc:
                self.add_error(None, str(exc))
        return said

    @property
    def chosen_tier(self) -> Tier:
        """Where from."""
        tier: Tier = self.cleaned_data["tier"]
        return tier

    def repeated(self) -> dict[str, str]:
        """Return the fields by which another form says the same."""
        said, selection = self.cleaned_data, self.selection
        fields = {"what": said["what"], "tier": said["tier"]}
        if selection is not None and selection.kind == "keys":
            return {**fields, "k": ",".join(map(text_of, selection.keys))}
        return {**fields, said["what"]: str(said.get(said["what"], ""))}

    def _selected(self, said: Mapping[str, Any]) -> Selection:
        match said["what"]:
            case "keys" if self._addresses:
                texts = ",".join(self._addresses).split(",")
                return Selection(keys=tuple(map(raw_of, texts)))
            case "keys":
                return Selection.of_names(self._cache, filter(None, said["names"].splitlines()))
            case "everything":
                return Selection(everything=True)
            case what:
                return Selection(**{what: said[what]})


class AuditFilter(forms.Form):
    """Which rows of the audit are shown."""

    cache = forms.ChoiceField(label=_("Cache"), required=False)
    actor = forms.CharField(label=_("Who"), required=False, max_length=150, widget=_ONE)

    def __init__(self, data: Any, caches: list[str]) -> None:
        super().__init__(data)
        choices = [("", _("all")), *((alias, alias) for alias in caches)]
        self.fields["cache"].choices = choices  # type: ignore[attr-defined]
