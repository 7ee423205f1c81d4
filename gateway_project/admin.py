"""Keys in Django's admin: made, shown once, revoked."""

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from gateway_project.models import ApiKey

if TYPE_CHECKING:
    _ModelAdmin = admin.ModelAdmin[ApiKey]
else:
    _ModelAdmin = admin.ModelAdmin

_CHOSEN = ("name", "tenant", "rate", "may_purge", "expires")


@admin.register(ApiKey)
class ApiKeyAdmin(_ModelAdmin):
    """Make keys, change what they may, revoke them; what they are cannot be changed."""

    list_display = ("shown", "name", "tenant", "rate", "may_purge", "state", "expires")
    list_filter = ("tenant", "may_purge")
    search_fields = ("prefix", "name", "tenant")
    actions = ("revoke",)

    def get_fields(
        self,
        request: HttpRequest,  # noqa: ARG002 - Django's signature, here and below
        obj: ApiKey | None = None,
    ) -> tuple[str, ...]:
        """Ask for what can be chosen; show the rest beside it once the key is made."""
        return _CHOSEN if obj is None else ("shown", *_CHOSEN, "created", "revoked")

    def get_readonly_fields(
        self,
        request: HttpRequest,  # noqa: ARG002
        obj: ApiKey | None = None,
    ) -> tuple[str, ...]:
        """Keep a made key's identity."""
        return () if obj is None else ("shown", "tenant", "created", "revoked")

    def has_delete_permission(self, request: HttpRequest, obj: ApiKey | None = None) -> bool:
        """Let only superusers delete a key, since its name goes with it; others revoke it.

        One at a time: without an object Django asks for the deletion of many.
        """
        is_superuser = bool(getattr(request.user, "is_superuser", False))
        return obj is not None and is_superuser and super().has_delete_permission(request, obj)

    def save_model(
        self,
        request: HttpRequest,
        obj: ApiKey,
        form: Any,
        change: bool,  # noqa: FBT001
    ) -> None:
        """Draw the key of a new row; write of an old one what the form has changed."""
        if change:
            # The key may have been revoked since the row was read.
            obj.save(update_fields=form.changed_data)
        else:
            obj.draw()
            super().save_model(request, obj, form, change)

    def response_add(
        self,
        request: HttpRequest,
        obj: ApiKey,
        post_url_continue: str | None = None,  # noqa: ARG002
    ) -> HttpResponse:
        """Show the key, on this page only; like all of the admin's it is `no-store`.

        A redirect with a message would put it into a cookie or the session.
        """
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "The new key",
            "row": obj,
        }
        return TemplateResponse(request, "gateway/admin/key_made.html", context)

    @admin.action(permissions=["change"], description="Revoke selected keys")
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> None:
        """Revoke keys, each with an entry in its history."""
        revoked = [key for key in queryset if key.revoke()]
        for key in revoked:
            self.log_change(request, key, "Revoked.")
        self.message_user(request, f"Revoked: {len(revoked)}.")
