"""The library behind the triggers of function_app.py; each folder is one room.

The way of the data: segments/ (what Customer Insights wrote) -> exports/ (plan, send, finish)
-> mailchimp/ (the audience). storage/ keeps what must survive, web/ is for people and portals,
app.py puts it all together.
"""
