"""The texts of Mailchimp, in the language of the account.

Mailchimp translates these texts, so a client must not depend on them; the second language tests that.
https://mailchimp.com/developer/marketing/docs/errors/
"""

from __future__ import annotations

_EN = {
    "member.address": "Please provide a valid email address.",
    "member.fake": "{email} looks fake or invalid, please enter a real email address.",
    "member.domain": "The domain portion of the email address is invalid (the portion after the @: {domain})",
    "member.exists": "{email} is already a list member, do you want to update? please provide "
    "update_existing:true in the request body",
    "member.exists_single": "{email} is already a list member. Use PUT to insert or update list members.",
    "member.duplicate": "{email} appears more than once in this request.",
    "member.compliance": "{email} is in a compliance state due to unsubscribe, bounce, or compliance "
    "review and cannot be subscribed.",
    "member.forgotten": "{email} was permanently deleted and cannot be re-imported. The contact must "
    "re-subscribe to get back on the list.",
    "member.throttled": "{email} has signed up to a lot of lists very recently; we're not allowing "
    "more signups for now",
    "member.status": "Please enter a status for {email}.",
    "member.plan": "Your plan does not allow more contacts.",
    "member.tag": "Tag names can have at most 100 characters.",
    "merge.invalid": "Your merge fields were invalid.",
    "merge.required": "Please enter a value",
    "merge.number": "Please enter a number",
    "merge.date": "Please enter the date",
    "merge.birthday": "Please enter a month (01-12) and a day (01-31)",
    "merge.phone": "Please enter a valid phone number",
    "merge.url": "Please enter a valid URL",
    "merge.zip": "Please enter a zip code (5 digits)",
    "merge.choice": "Value must be one of the choices of this field",
    "merge.address": "Please enter a complete address",
    "merge.long": "Please enter a value with fewer than 256 characters",
    "merge.unknown": "There is no merge field with this tag",
    "schema.anyof": "Data did not match any of the schemas described in anyOf.",
    "schema.type": "Schema describes {want}, {got} found instead",
    "schema.blank": "This value should not be blank.",
    "schema.enum": "Data presented is not one of the accepted values: {values}.",
    "page.count": "The number of records to return must be between 0 and 1000.",
    "invalid.detail": "The resource submitted could not be validated. For field-specific details, see the "
    "'errors' array.",
    "members.many": "Maximum allowed member items exceeded, please provide at most 500 items in members field",
    "segment.many": "Maximum allowed member items exceeded, please provide at most 500 items in "
    "members_to_add field or members_to_remove field",
    "segment.kind": 'Must provide either an "options" field or a "static_segment" field',
    "segment.exists": "Sorry, that tag already exists.",
    "segment.name": "Tag names can have at most 100 characters.",
    "segment.not_static": "A Static Segment with an id of {id} does not exist.",
    "segment.outside": "Email addresses do not exist on the list",
    "field.tag": "Merge tags have at most 10 characters: capital letters, digits and underscores.",
    "field.taken": 'A Merge Field with the tag "{tag}" already exists for this list.',
    "field.limit": "Your audience has reached its limit of merge fields.",
    "field.choices": "Choices are required for this type of field.",
    "webhook.twice": "Sorry, you can't set up multiple WebHooks for one URL.",
    "webhook.url": "Please provide a valid URL.",
    "webhook.silent": "The URL did not answer our request with the status 200.",
    "archive": "This list member cannot be removed. Can not archive a contact that is bounced, pending or archived",
    "missing": "The requested resource could not be found.",
    "method": "The requested method and resource are not compatible. See the Allow header for this "
    "resource's available methods.",
    "json": "We encountered an unspecified JSON parsing error.",
    "key.missing": "Your request did not include an API key.",
    "key.invalid": "Your API key may be invalid, or you've attempted to access the wrong datacenter.",
    "disabled": "This account has been disabled.",
    "throttle": "You have exceeded the limit of {limit} simultaneous connections.",
    "large": "The request is too large.",
    "broken": "An unexpected internal error has occurred.",
    "plan": "Your account has reached the contact limit of its plan.",
}

_DE = {
    "member.address": "Bitte gib eine gültige E-Mail-Adresse an.",
    "member.fake": "{email} scheint falsch oder ungültig zu sein. Bitte gib eine echte E-Mail-Adresse ein.",
    "member.domain": "Der Domainteil der E-Mail-Adresse ist ungültig ({domain})",
    "member.exists": "{email} ist bereits in dieser Liste. Bitte gib update_existing:true an.",
    "member.exists_single": "{email} ist bereits in dieser Liste. Verwende PUT.",
    "member.duplicate": "{email} kommt in dieser Anfrage mehrfach vor.",
    "member.compliance": "{email} kann wegen Abmeldung, Bounce oder Prüfung nicht angemeldet werden.",
    "member.forgotten": "{email} wurde endgültig gelöscht und kann nicht wieder importiert werden.",
    "member.throttled": "{email} hat sich zuletzt bei sehr vielen Listen angemeldet.",
    "member.status": "Bitte gib einen Status für {email} an.",
    "member.plan": "Dein Tarif erlaubt keine weiteren Kontakte.",
    "member.tag": "Tag-Namen haben höchstens 100 Zeichen.",
    "merge.invalid": "Deine Merge-Felder waren ungültig.",
    "merge.required": "Bitte gib einen Wert ein.",
    "merge.number": "Bitte gib eine Zahl ein",
    "merge.date": "Bitte gib das Datum ein",
    "merge.birthday": "Bitte gib Monat (01-12) und Tag (01-31) ein",
    "merge.phone": "Bitte gib eine gültige Telefonnummer ein",
    "merge.url": "Bitte gib eine gültige URL ein",
    "merge.zip": "Bitte gib eine Postleitzahl ein (5 Ziffern)",
    "merge.choice": "Der Wert muss eine der Auswahlmöglichkeiten sein",
    "merge.address": "Bitte gib eine vollständige Adresse ein",
    "merge.long": "Bitte gib einen Wert mit weniger als 256 Zeichen ein",
    "merge.unknown": "Es gibt kein Merge-Feld mit diesem Tag",
    "schema.anyof": "Die Daten passten zu keinem der erlaubten Schemata.",
    "schema.type": "Das Schema verlangt {want}, gefunden wurde {got}",
    "schema.blank": "Dieser Wert sollte nicht leer sein.",
    "schema.enum": "Dieser Wert ist keiner der erlaubten: {values}.",
    "page.count": "Die Anzahl der Datensätze muss zwischen 0 und 1000 liegen.",
    "invalid.detail": "Die Ressource konnte nicht geprüft werden. Einzelheiten stehen im Feld 'errors'.",
    "members.many": "Höchstens 500 Einträge im Feld members",
    "segment.many": "Höchstens 500 Einträge in members_to_add oder members_to_remove",
    "segment.kind": 'Es fehlt das Feld "options" oder "static_segment"',
    "segment.exists": "Dieses Tag gibt es schon.",
    "segment.name": "Tag-Namen haben höchstens 100 Zeichen.",
    "segment.not_static": "Ein statisches Segment mit der ID {id} gibt es nicht.",
    "segment.outside": "Diese Adressen sind nicht in der Liste",
    "field.tag": "Merge-Tags haben höchstens 10 Zeichen: Großbuchstaben, Ziffern, Unterstriche.",
    "field.taken": 'Ein Merge-Feld mit dem Tag "{tag}" gibt es schon.',
    "field.limit": "Deine Zielgruppe hat die Höchstzahl an Merge-Feldern erreicht.",
    "field.choices": "Für diese Feldart werden Auswahlmöglichkeiten gebraucht.",
    "archive": "Dieser Kontakt kann nicht archiviert werden.",
    "missing": "Die angeforderte Ressource wurde nicht gefunden.",
    "method": "Diese Methode passt nicht zu dieser Ressource.",
    "json": "Beim Lesen des JSON ist ein Fehler aufgetreten.",
    "key.missing": "In deiner Anfrage fehlte ein API-Schlüssel.",
    "key.invalid": "Dein API-Schlüssel ist vielleicht ungültig, oder es ist das falsche Rechenzentrum.",
    "disabled": "Dieses Konto wurde deaktiviert.",
    "throttle": "Mehr als {limit} gleichzeitige Verbindungen.",
    "large": "Die Anfrage ist zu groß.",
    "broken": "Ein unerwarteter interner Fehler ist aufgetreten.",
    "plan": "Dein Konto hat die Kontaktgrenze seines Tarifs erreicht.",
}

_TEXTS = {"en": _EN, "de": _DE}


def text(language: str, key: str, **facts: object) -> str:
    """The sentence for `key`, with its facts filled in."""
    return _TEXTS[language][key].format(**facts)
