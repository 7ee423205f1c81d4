"""Make the staff of the site: one with all rights, one without any, one with each right alone.

Run as ``python -m tests.browser.users`` with the site's environment; names are passwords as well.
"""

from __future__ import annotations

from typing import Final

ALL: Final = ("view_stats", "view_keys", "view_values", "evict", "clear")
STAFF: Final = {
    "chief": ALL,
    "deputy": ALL,
    "nobody": (),
    "looker": ("view_stats", "view_keys"),
    **{f"only-{right}": (right,) for right in ALL},
}
"""Names, and what each of them may."""


def make() -> None:
    from django.contrib.auth.models import Permission, User

    ours = Permission.objects.filter(content_type__app_label="tiercache")
    for name, rights in STAFF.items():
        user = User.objects.create_user(name, password=name, is_staff=True)
        user.user_permissions.set(ours.filter(codename__in=rights))


if __name__ == "__main__":
    import django

    django.setup()
    make()
