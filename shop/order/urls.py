app_name = "order"
urlpatterns: list = []
