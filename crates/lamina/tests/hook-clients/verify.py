# As verify.mjs, for the library of Python.
import json
import sys

from standardwebhooks.webhooks import Webhook

given = json.load(sys.stdin)
webhook = Webhook(given["secret"])


def said(delivery):
    try:
        return webhook.verify(delivery["body"], delivery["headers"])["type"]
    except Exception as error:  # whatever the library refuses by
        return f"refused: {error}"


print(json.dumps([said(delivery) for delivery in given["deliveries"]]))
